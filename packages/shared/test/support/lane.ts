import type { Stream } from '../../src/mux/events.ts'
import { HEADROOM } from '../../src/wire/limits.ts'
import { matchesPattern, pattern } from './pattern.ts'

/** One direction of a stream as a naive observer knows it. */
export interface Half {
  /** Which bytes it carries. */
  readonly lane: number
  written: number
  ended: boolean
  received: number
  endSeen: boolean
  /** Received and not yet consumed. */
  waiting: number
}

/** What the two owners of one stream have done and seen. The oracle: it knows nothing of carriers, frames or credit. */
export interface Lane {
  readonly index: number
  /** edge → agent and agent → edge. */
  readonly up: Half
  readonly down: Half
  edge: Stream | undefined
  agent: Stream | undefined
  /** Who called reset, and who was told of one. */
  edgeReset: boolean
  agentReset: boolean
  edgeTold: boolean
  agentTold: boolean
  accepted: boolean
  acceptSeen: boolean
}

export type SideName = 'edge' | 'agent'

export function newLane(index: number): Lane {
  return {
    index,
    up: newHalf(2 * index),
    down: newHalf(2 * index + 1),
    edge: undefined,
    agent: undefined,
    edgeReset: false,
    agentReset: false,
    edgeTold: false,
    agentTold: false,
    accepted: false,
    acceptSeen: false,
  }
}

function newHalf(lane: number): Half {
  return { lane, written: 0, ended: false, received: 0, endSeen: false, waiting: 0 }
}

/** The opening that names a lane; as long as a real one. */
export function openingOf(index: number): Buffer {
  const bytes = Buffer.alloc(46, 0xa5)
  bytes.writeUInt32LE(index)
  return bytes
}

export function laneOfOpening(bytes: Uint8Array): number {
  const buffer = Buffer.from(bytes)
  if (buffer.length !== 46 || buffer.subarray(4).some((byte) => byte !== 0xa5))
    throw new Error('opening: it was changed')
  return buffer.readUInt32LE(0)
}

export function isGone(lane: Lane, side: SideName): boolean {
  return side === 'edge' ? lane.edgeReset || lane.edgeTold : lane.agentReset || lane.agentTold
}

/** The next `length` bytes to write in a direction. */
export function nextBytes(half: Half, length: number): Buffer {
  return pattern(half.lane, half.written, length)
}

/** The same in memory of its own, with room for headers in front, as what was read from a socket. */
export function nextWithHeadroom(half: Half, length: number): Uint8Array {
  const buffer = new Uint8Array(HEADROOM + length)
  buffer.set(nextBytes(half, length), HEADROOM)
  return buffer.subarray(HEADROOM)
}

/** Bytes came: they must continue what came before, and have been written. */
export function take(half: Half, bytes: Uint8Array): void {
  if (half.endSeen) throw new Error(`lane ${half.lane}: bytes after the end`)
  if (bytes.length === 0) throw new Error(`lane ${half.lane}: no bytes at all`)
  if (!matchesPattern(bytes, half.lane, half.received)) {
    throw new Error(`lane ${half.lane}: wrong bytes at ${half.received} (${bytes.length} of them)`)
  }
  half.received += bytes.length
  half.waiting += bytes.length
  if (half.received > half.written) throw new Error(`lane ${half.lane}: more bytes than were written`)
}

/** The end came: only after everything, and only if it was meant. */
export function takeEnd(half: Half): void {
  if (half.endSeen) throw new Error(`lane ${half.lane}: a second end`)
  if (!half.ended) throw new Error(`lane ${half.lane}: a false end at ${half.received} of ${half.written}`)
  if (half.received !== half.written) {
    throw new Error(`lane ${half.lane}: the end came after ${half.received} of ${half.written} bytes`)
  }
  half.endSeen = true
}
