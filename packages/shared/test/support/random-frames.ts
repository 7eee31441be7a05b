import type { Frame } from './frames.ts'
import type { Random } from './random.ts'

const EDGES = [0, 1, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, 2 ** 53 - 1]

/** Any count, the corners of the number range more often. */
export function anyCount(random: Random): number {
  return random.chance(50) ? random.pick(EDGES) : random.next() * 2 ** random.below(21)
}

function anyId(random: Random): number {
  return random.chance(50) ? 1 + random.below(4) : Math.max(1, random.next())
}

/** One well-formed frame of any type, with any values. `most` bounds the payload of DATA and DATAGRAM. */
export function anyFrame(random: Random, most = 300): Frame {
  const stream = anyId(random)
  const maybeZero = random.chance(20) ? 0 : stream
  switch (random.below(12)) {
    case 0:
      return { type: 'open', stream, credit: anyCount(random), opening: random.bytes(random.pick([0, 1, 46, 256])) }
    case 1:
      return { type: 'accept', stream }
    case 2:
      return { type: 'end', stream, final: anyCount(random) }
    case 3:
      return { type: 'reset', stream, code: random.next() }
    case 4:
      return { type: 'credit', stream: maybeZero, limit: anyCount(random) }
    case 5:
      return { type: 'ack', received: anyCount(random) }
    case 6:
      return anyDatagram(random, most)
    case 7:
      return { type: 'ping', token: anyCount(random) }
    case 8:
      return { type: 'pong', token: anyCount(random) }
    case 9:
      return { type: 'goaway', code: random.next(), reason: 'because '.repeat(random.below(33)) }
    case 10: {
      const entries = Array.from({ length: 1 + random.below(64) }, () => [random.next(), anyCount(random)] as const)
      return { type: 'lost', entries }
    }
    default: {
      const bytes = random.bytes(1 + random.below(most))
      // The end of DATA has to be countable too: credit never reaches that far.
      return { type: 'data', stream: maybeZero, offset: Math.min(anyCount(random), 2 ** 53 - 1 - most), bytes }
    }
  }
}

function anyDatagram(random: Random, most: number): Frame {
  const flow = anyId(random)
  const bytes = random.bytes(random.below(most))
  if (random.chance(50)) return { type: 'datagram', flow, flags: random.pick([0, 2, 4, 6]), body: bytes }
  const opening = random.bytes(random.pick([0, 46, 256]))
  const length = Buffer.from([opening.length & 0xff, opening.length >> 8])
  return { type: 'datagram', flow, flags: random.pick([1, 3, 5]), body: Buffer.concat([length, opening, bytes]) }
}
