import { Random } from './random.ts'

/** A prime, so that no frame size, window or write size lines up with it: a byte out of place differs. */
const PERIOD = 65_521
/** Longest piece that can be asked for at once, bytes. */
export const MOST_PATTERN_BYTES = 65_536

const BYTES = Buffer.alloc(PERIOD + MOST_PATTERN_BYTES)
new Random(1).bytes(PERIOD).copy(BYTES)
BYTES.copy(BYTES, PERIOD, 0, MOST_PATTERN_BYTES)

/** What lane `lane` carries from `offset`: each lane has bytes of its own, so that mixed-up streams differ too. A shared view. */
export function pattern(lane: number, offset: number, length: number): Buffer {
  const start = (offset + lane * 7919) % PERIOD
  return BYTES.subarray(start, start + length)
}

export function matchesPattern(bytes: Uint8Array, lane: number, offset: number): boolean {
  for (let at = 0; at < bytes.length; at += MOST_PATTERN_BYTES) {
    const part = bytes.subarray(at, at + MOST_PATTERN_BYTES)
    if (pattern(lane, offset + at, part.length).compare(part) !== 0) return false
  }
  return true
}
