/** Buffers that are used again and again: a new one for each read costs more in garbage collection than the read itself. */

/** Who needs little takes little: what waits for a slow peer pins the buffer that it lies in. */
const SIZES: readonly number[] = [16 * 1024, 64 * 1024, 256 * 1024]
/** Free buffers that a process keeps, bytes; more go to the garbage collector. */
const KEPT_BYTES = 8 * 1024 * 1024

const free: Uint8Array[][] = SIZES.map(() => [])
let keptBytes = 0

/** What is in it is anybody's: write before you read. The smallest that holds `bytes`, or the largest there is. */
export function lend(bytes: number): Uint8Array {
  let index = 0
  while (index < SIZES.length - 1 && (SIZES[index] ?? 0) < bytes) index++
  const known = free[index]?.pop()
  if (known === undefined) return Buffer.allocUnsafeSlow(SIZES[index] ?? 0)
  keptBytes -= known.length
  return known
}

/** The whole buffer, as it was lent, once nobody holds a view of it any more. Who forgets it costs an allocation, not memory. */
export function giveBack(buffer: Uint8Array): void {
  if (keptBytes + buffer.length > KEPT_BYTES) return
  keptBytes += buffer.length
  free[SIZES.indexOf(buffer.length)]?.push(buffer)
}
