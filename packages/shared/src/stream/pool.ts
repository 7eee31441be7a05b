/** Buffers that are used again and again: a new one for each read costs more in garbage collection than the read itself. */

/** Who needs little takes little: what waits for a slow peer pins the buffer that it lies in. */
const SIZES: readonly number[] = [16 * 1024, 64 * 1024, 256 * 1024]
/**
 * Free buffers that a process keeps, bytes: what 32 streams in a hurry have under way. More go to the garbage collector,
 * and V8 collects everything whenever some dozen MB outside its heap are new.
 */
const KEPT_BYTES = 32 * 1024 * 1024
/** What was not needed for this long goes, too: a machine with little memory is idle most of the day. */
const REST_MS = 10_000

const free: Uint8Array[][] = SIZES.map(() => [])
/** The fewest that were free since the last look: so many were not needed. */
const spare: number[] = SIZES.map(() => 0)
let keptBytes = 0
let timer: NodeJS.Timeout | undefined

/** What is in it is anybody's: write before you read. The smallest that holds `bytes`, or the largest there is. */
export function lend(bytes: number): Uint8Array {
  let index = 0
  while (index < SIZES.length - 1 && (SIZES[index] ?? 0) < bytes) index++
  const size = SIZES[index] ?? 0
  const of = free[index] ?? []
  const known = of.pop()
  if (known === undefined) return Buffer.allocUnsafeSlow(size)
  keptBytes -= size
  spare[index] = Math.min(spare[index] ?? 0, of.length)
  return known
}

/** The whole buffer, as it was lent, once nobody holds a view of it any more. Who forgets it costs an allocation, not memory. */
export function giveBack(buffer: Uint8Array): void {
  if (keptBytes + buffer.length > KEPT_BYTES) return
  keptBytes += buffer.length
  free[SIZES.indexOf(buffer.length)]?.push(buffer)
  timer ??= setInterval(trim, REST_MS).unref()
}

/** Free buffers, bytes. */
export function kept(): number {
  return keptBytes
}

function trim(): void {
  for (const [index, of] of free.entries()) {
    const gone = of.splice(0, spare[index] ?? 0)
    keptBytes -= gone.length * (SIZES[index] ?? 0)
    spare[index] = of.length
  }
  if (keptBytes > 0) return
  clearInterval(timer)
  timer = undefined
}
