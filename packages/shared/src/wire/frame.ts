import { EngawaError } from '../errors.ts'
import {
  HEADER_BYTES,
  MAX_DATA_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_LOST_ENTRIES,
  MAX_OPENING_BYTES,
  MAX_REASON_BYTES,
} from './limits.ts'

/*
 *  0       1               4               8
 *  ┌───────┬───────────────┬───────────────┬─────────────
 *  │ type  │ length (u24)  │ stream (u32)  │ payload …
 *  └───────┴───────────────┴───────────────┴─────────────
 */
export const OPEN = 1
export const ACCEPT = 2
export const DATA = 3
export const END = 4
export const RESET = 5
export const CREDIT = 6
export const ACK = 7
export const DATAGRAM = 8
export const PING = 9
export const PONG = 10
export const GOAWAY = 11
export const LOST = 12

/** Flags of DATAGRAM. protocol.md [U1] */
export const FLAG_OPENING = 1
export const FLAG_ACCEPTED = 2
export const FLAG_CLOSED = 4

/** Header of DATA with its offset, bytes. */
export const DATA_HEAD_BYTES: number = HEADER_BYTES + 8

interface Rule {
  readonly least: number
  readonly most: number
  /** The length is a multiple of this. */
  readonly step?: number
  readonly stream: 'id' | 'zero' | 'any'
  readonly ledgered: boolean
}

/** One row a type, as in protocol.md §3. */
const RULES: readonly (Rule | undefined)[] = [
  undefined,
  { least: 8, most: 8 + MAX_OPENING_BYTES, stream: 'id', ledgered: true },
  { least: 0, most: 0, stream: 'id', ledgered: true },
  { least: 9, most: 8 + MAX_DATA_BYTES, stream: 'any', ledgered: true },
  { least: 8, most: 8, stream: 'id', ledgered: true },
  { least: 4, most: 4, stream: 'id', ledgered: true },
  { least: 8, most: 8, stream: 'any', ledgered: true },
  { least: 8, most: 8, stream: 'zero', ledgered: false },
  { least: 1, most: 3 + MAX_OPENING_BYTES + MAX_DATAGRAM_BYTES, stream: 'id', ledgered: false },
  { least: 8, most: 8, stream: 'zero', ledgered: false },
  { least: 8, most: 8, stream: 'zero', ledgered: false },
  { least: 4, most: 4 + MAX_REASON_BYTES, stream: 'zero', ledgered: true },
  { least: 12, most: 12 * MAX_LOST_ENTRIES, step: 12, stream: 'zero', ledgered: true },
]

/** Where the frames of one carrier go, in order. A method may throw EngawaError: that ends the session. */
export interface FrameSink {
  open(stream: number, credit: number, opening: Uint8Array): void
  accept(stream: number): void
  /** Any part of a DATA frame, as it came; `bytes` is a view of what was fed. */
  data(stream: number, offset: number, bytes: Uint8Array): void
  end(stream: number, final: number): void
  reset(stream: number, code: number): void
  credit(stream: number, limit: number): void
  ack(received: number): void
  datagram(flow: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): void
  ping(token: number): void
  pong(token: number): void
  goaway(code: number, reason: string): void
  lost(entries: readonly (readonly [carrier: number, received: number])[]): void
}

/**
 * Takes the frames of one carrier out of its bytes, cut-through: parts of DATA are handed on as they come.
 *
 * Source: protocol.md §3.
 */
export class FrameReader {
  /** Bytes of ledgered frames so far, parts of incomplete ones too: what ACK and LOST state. protocol.md [R1] */
  ledgered = 0
  readonly #sink: FrameSink
  /** The header, and for DATA its offset. */
  readonly #head = new Uint8Array(DATA_HEAD_BYTES)
  #headHave = 0
  #headNeed = HEADER_BYTES
  #type = 0
  #stream = 0
  /** Payload bytes still to come (of DATA: without the offset). */
  #left = 0
  #offset = 0
  #ledgers = false
  /** Payload of a frame that is handled whole, if it did not come in one piece. */
  #whole: Uint8Array | undefined
  #wholeHave = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Throws FRAME_UNKNOWN, FRAME_TOO_LARGE or PROTOCOL_VIOLATION, and what the sink throws; it must not be fed again then. */
  feed(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#headHave < this.#headNeed) at = this.#takeHead(bytes, at)
      else if (this.#type === DATA) at = this.#takeData(bytes, at)
      else at = this.#takeWhole(bytes, at)
    }
  }

  #takeHead(bytes: Uint8Array, from: number): number {
    let at = from
    while (at < bytes.length && this.#headHave < this.#headNeed) {
      this.#head[this.#headHave++] = bytes[at++] as number
      if (this.#headHave === 1) this.#begin()
      if (this.#headHave === HEADER_BYTES && this.#headNeed === HEADER_BYTES) this.#readHeader()
    }
    if (this.#ledgers) this.ledgered += at - from
    if (this.#headHave < this.#headNeed) return at
    if (this.#type === DATA) {
      this.#offset = readCount(this.#head, HEADER_BYTES)
    } else if (this.#left === 0) this.#deliver(this.#head.subarray(0, 0))
    return at
  }

  #begin(): void {
    this.#type = this.#head[0] as number
    const rule = RULES[this.#type]
    if (rule === undefined) throw new EngawaError('FRAME_UNKNOWN', `a frame of type ${this.#type}`)
    this.#ledgers = rule.ledgered
  }

  #readHeader(): void {
    const head = this.#head
    const rule = RULES[this.#type] as Rule
    const length = at8(head, 1) | (at8(head, 2) << 8) | (at8(head, 3) << 16)
    this.#stream = readU32(head, 4)
    if (length > rule.most)
      throw new EngawaError('FRAME_TOO_LARGE', `a frame of type ${this.#type} with ${length} bytes`)
    if (length < rule.least || (rule.step !== undefined && length % rule.step !== 0)) {
      throw new EngawaError('PROTOCOL_VIOLATION', `a frame of type ${this.#type} with ${length} bytes`)
    }
    if ((rule.stream === 'id' && this.#stream === 0) || (rule.stream === 'zero' && this.#stream !== 0)) {
      throw new EngawaError('PROTOCOL_VIOLATION', `a frame of type ${this.#type} for stream ${this.#stream}`)
    }
    this.#left = length
    if (this.#type === DATA) {
      this.#headNeed = DATA_HEAD_BYTES
      this.#left -= 8
    }
  }

  #takeData(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + this.#left)
    const offset = this.#offset
    this.#left -= part.length
    this.#offset += part.length
    this.ledgered += part.length
    if (this.#left === 0) this.#next()
    this.#sink.data(this.#stream, offset, part)
    return at + part.length
  }

  #takeWhole(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + this.#left)
    if (this.#ledgers) this.ledgered += part.length
    if (this.#whole === undefined && part.length === this.#left) {
      this.#deliver(part)
      return at + part.length
    }
    this.#whole ??= new Uint8Array(this.#left)
    this.#whole.set(part, this.#wholeHave)
    this.#wholeHave += part.length
    this.#left -= part.length
    if (this.#left === 0) this.#deliver(this.#whole)
    return at + part.length
  }

  #next(): void {
    this.#headHave = 0
    this.#headNeed = HEADER_BYTES
    this.#ledgers = false
    this.#whole = undefined
    this.#wholeHave = 0
  }

  #deliver(payload: Uint8Array): void {
    const sink = this.#sink
    const stream = this.#stream
    const type = this.#type
    this.#next()
    switch (type) {
      case OPEN:
        return sink.open(stream, readCount(payload, 0), payload.subarray(8))
      case ACCEPT:
        return sink.accept(stream)
      case END:
        return sink.end(stream, readCount(payload, 0))
      case RESET:
        return sink.reset(stream, readU32(payload, 0))
      case CREDIT:
        return sink.credit(stream, readCount(payload, 0))
      case ACK:
        return sink.ack(readCount(payload, 0))
      case DATAGRAM:
        return deliverDatagram(sink, stream, payload)
      case PING:
        return sink.ping(readCount(payload, 0))
      case PONG:
        return sink.pong(readCount(payload, 0))
      case GOAWAY:
        return sink.goaway(readU32(payload, 0), textOf(payload.subarray(4)))
      default:
        return sink.lost(readLost(payload))
    }
  }
}

function deliverDatagram(sink: FrameSink, flow: number, payload: Uint8Array): void {
  const flags = at8(payload, 0)
  if ((flags & FLAG_OPENING) === 0) {
    if (payload.length - 1 > MAX_DATAGRAM_BYTES) throw new EngawaError('FRAME_TOO_LARGE', 'a datagram too long')
    return sink.datagram(flow, flags, undefined, payload.subarray(1))
  }
  if (payload.length < 3) throw new EngawaError('PROTOCOL_VIOLATION', 'a datagram cut short')
  const length = at8(payload, 1) | (at8(payload, 2) << 8)
  if (length > MAX_OPENING_BYTES || payload.length < 3 + length) {
    throw new EngawaError('PROTOCOL_VIOLATION', 'a datagram whose opening does not fit')
  }
  if (payload.length - 3 - length > MAX_DATAGRAM_BYTES) throw new EngawaError('FRAME_TOO_LARGE', 'a datagram too long')
  sink.datagram(flow, flags, payload.subarray(3, 3 + length), payload.subarray(3 + length))
}

function readLost(payload: Uint8Array): (readonly [number, number])[] {
  const entries: (readonly [number, number])[] = []
  for (let at = 0; at < payload.length; at += 12) entries.push([readU32(payload, at), readCount(payload, at + 4)])
  return entries
}

/** A reason is for logs only, so anything but printable ASCII becomes `?`: the core has no decoder and needs none. */
function textOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?'
  return text
}

function at8(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function readU32(bytes: Uint8Array, at: number): number {
  return (at8(bytes, at) | (at8(bytes, at + 1) << 8) | (at8(bytes, at + 2) << 16) | (at8(bytes, at + 3) << 24)) >>> 0
}

/** A u64 that is a safe integer; anything larger is a violation. protocol.md [F1] */
function readCount(bytes: Uint8Array, at: number): number {
  const high = readU32(bytes, at + 4)
  if (high >= 0x20_0000) throw new EngawaError('PROTOCOL_VIOLATION', 'a number above 2^53')
  return high * 0x1_0000_0000 + readU32(bytes, at)
}
