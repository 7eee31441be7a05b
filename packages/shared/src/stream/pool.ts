/** Buffers that are used again and again: a new one for each read costs more in garbage collection than the read itself. */

/** Who needs little takes little: what waits for a slow peer pins the buffer that it lies in. */
const SIZES: readonly number[] = [16 * 1024, 64 * 1024, 256 * 1024]
/** Free buffers that a process keeps at most, bytes; more go to the garbage collector. Thirty streams at full speed take so many. */
const MOST_BYTES = 32 * 1024 * 1024
/** What it keeps for good. Of more it gives up what nobody needed for `SPAN_MS`. */
const KEPT_BYTES = 8 * 1024 * 1024
const SPAN_MS = 10_000

const free: Uint8Array[][] = SIZES.map(() => [])
let keptBytes = 0
/** The least that was free since the last look. */
let leastBytes = 0
let timer: NodeJS.Timeout | undefined

/** What is in it is anybody's: write before you read. The smallest that holds `bytes`, or the largest there is. */
export function lend(bytes: number): Uint8Array {
  let index = 0
  while (index < SIZES.length - 1 && (SIZES[index] ?? 0) < bytes) index++
  const known = free[index]?.pop()
  if (known === undefined) return Buffer.allocUnsafeSlow(SIZES[index] ?? 0)
  keptBytes -= known.length
  if (keptBytes < leastBytes) leastBytes = keptBytes
  return known
}

/** The whole buffer, as it was lent, once nobody holds a view of it any more. Who forgets it costs an allocation, not memory. */
export function giveBack(buffer: Uint8Array): void {
  if (keptBytes + buffer.length > MOST_BYTES) return
  keptBytes += buffer.length
  free[SIZES.indexOf(buffer.length)]?.push(buffer)
  if (keptBytes > KEPT_BYTES && timer === undefined) watch()
}

function watch(): void {
  leastBytes = keptBytes
  timer = setTimeout(() => {
    let spare = Math.min(leastBytes, keptBytes - KEPT_BYTES)
    for (const buffers of free.toReversed()) {
      for (let buffer = buffers.at(-1); buffer !== undefined && buffer.length <= spare; buffer = buffers.at(-1)) {
        buffers.pop()
        keptBytes -= buffer.length
        spare -= buffer.length
      }
    }
    timer = undefined
    if (keptBytes > KEPT_BYTES) watch()
  }, SPAN_MS)
  timer.unref()
}
