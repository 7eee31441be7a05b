import { decodeAll, type Frame, ledgeredBytes } from './frames.ts'
import type { SideName } from './lane.ts'
import type { Link, World } from './world.ts'

/** One direction of one carrier, as it was sent or as it was read. */
class Half {
  /** Ledgered bytes so far, parts of incomplete frames too. */
  ledgered = 0
  /** What the other end has said that it received: in ACK, LOST or a handshake. */
  known = 0
  /** The carrier was given up with that count: the first one is acted upon. */
  isFinal = false
  /** Where each frame ends in the count, and what of its stream ends there. */
  readonly entries: { end: number; stream: number; offset: number; bytes: number }[] = []
  #rest: Buffer = Buffer.alloc(0)
  #partial = 0

  /** Ledgered bytes of whole frames. */
  get whole(): number {
    return this.ledgered - this.#partial
  }

  /** The stream whose DATA is coming in just now: its first bytes are handed on before the last are there. */
  get incoming(): number | undefined {
    return this.#rest.length > 16 && this.#rest[0] === 3 ? this.#rest.readUInt32LE(4) : undefined
  }

  take(bytes: Uint8Array): Frame[] {
    const all = Buffer.concat([this.#rest, bytes])
    const { frames, rest } = decodeAll(all)
    this.#rest = all.subarray(all.length - rest)
    const type = this.#rest[0] ?? 7
    const partial = type >= 7 && type <= 10 ? 0 : rest
    this.ledgered += ledgeredBytes(frames) + partial - this.#partial
    this.#partial = partial
    return frames
  }
}

/** One direction of one stream: what its sender may and did send. */
interface Way {
  limit: number
  sent: number
  acked: number
  final: number | undefined
  isReset: boolean
  /** The carrier of its last frame, and where that frame ends in its count. */
  pin: Link | undefined
  pinnedTo: number
  /** A frame of the stream has been read by this sender. */
  isHeard: boolean
  /** The limit that this sender has granted the other. */
  granted: number
}

/**
 * Reads everything that two sessions say to each other and holds it against the text of protocol.md: not what becomes of
 * it, but whether it may be said at all. It throws at the first frame that may not.
 */
export class Wiretap {
  readonly #world: World
  readonly #sent = new Map<string, Half>()
  readonly #read = new Map<string, Half>()
  readonly #ways = new Map<string, Way>()
  #lastId = 0

  constructor(world: World) {
    this.#world = world
  }

  listen(): void {
    const world = this.#world
    world.onSent = (from, link, bytes) => this.#sending(from, link, bytes)
    world.onRead = (by, link, bytes) => this.#reading(by, link, bytes)
    world.onReport = (to, entries) => {
      for (const [number, received] of entries) this.#arrived(to, number, received, true)
    }
  }

  #way(side: SideName, stream: number): Way {
    const key = `${side} ${stream}`
    let way = this.#ways.get(key)
    if (way === undefined) {
      const credit = this.#world.settings.credit
      const limit = stream === 0 ? 65_536 : side === 'edge' ? credit : 0
      const granted = stream === 0 ? 65_536 : side === 'agent' ? credit : 0
      way = {
        limit,
        sent: 0,
        acked: 0,
        final: undefined,
        isReset: false,
        pin: undefined,
        pinnedTo: 0,
        isHeard: false,
        granted,
      }
      this.#ways.set(key, way)
    }
    return way
  }

  #half(map: Map<string, Half>, side: SideName, number: number): Half {
    const key = `${side} ${number}`
    const half = map.get(key) ?? new Half()
    map.set(key, half)
    return half
  }

  #reading(by: SideName, link: Link, bytes: Uint8Array): void {
    if (!this.#world.side(by).held.has(link.number)) return
    const half = this.#half(this.#read, by, link.number)
    for (const frame of half.take(bytes)) {
      if (frame.type === 'ack') this.#arrived(by, link.number, frame.received, false)
      else if (frame.type === 'lost')
        for (const [number, received] of frame.entries) this.#arrived(by, number, received, true)
      if (!('stream' in frame)) continue
      const way = this.#way(by, frame.stream)
      way.isHeard = true
      if (frame.type === 'open') way.limit = Math.max(way.limit, frame.credit)
      else if (frame.type === 'credit') way.limit = Math.max(way.limit, frame.limit)
    }
    if (half.incoming !== undefined) this.#way(by, half.incoming).isHeard = true
  }

  /** `side` has heard how much of what it sent on a carrier was received. */
  #arrived(side: SideName, number: number, received: number, isFinal: boolean): void {
    const half = this.#half(this.#sent, side, number)
    if (half.isFinal) return
    half.isFinal = isFinal
    if (received <= half.known) return
    half.known = received
    for (const { end, stream, offset, bytes } of half.entries) {
      const way = this.#way(side, stream)
      const known = Math.min(bytes, bytes - (end - received))
      if (known > 0) way.acked = Math.max(way.acked, offset - bytes + known)
    }
  }

  #sending(from: SideName, link: Link, bytes: Uint8Array): void {
    const half = this.#half(this.#sent, from, link.number)
    let end = half.whole
    for (const frame of half.take(bytes)) {
      end += ledgeredBytes([frame])
      const complaint = this.#complaint(from, link, frame, end)
      if (complaint === undefined) continue
      throw new Error(`${from} on carrier ${link.number}: ${frame.type} ${complaint}`)
    }
  }

  #complaint(from: SideName, link: Link, frame: Frame, end: number): string | undefined {
    if (frame.type === 'ack') {
      const { ledgered } = this.#half(this.#read, from, link.number)
      return frame.received === ledgered ? undefined : `${frame.received} instead of ${ledgered} [R1]`
    }
    if (frame.type === 'lost') return this.#lostComplaint(from, frame.entries)
    if (frame.type === 'goaway') return `${frame.code} ${frame.reason}`
    if (!('stream' in frame)) return undefined
    const way = this.#way(from, frame.stream)
    if (frame.type === 'credit') {
      if (frame.limit < way.granted) return `goes down from ${way.granted} to ${frame.limit} [W3]`
      way.granted = frame.limit
      const isFree = from === 'agent' || frame.stream === 0 || way.isHeard || way.pin === link
      return isFree ? undefined : 'could overtake its OPEN [S8]'
    }
    const complaint = this.#pinComplaint(from, link, way) ?? this.#streamComplaint(from, way, frame)
    way.pin = link
    way.pinnedTo = end
    const bytes = frame.type === 'data' ? frame.bytes.length : 0
    const offset = frame.type === 'data' ? frame.offset + bytes : 0
    this.#half(this.#sent, from, link.number).entries.push({ end, stream: frame.stream, offset, bytes })
    return complaint
  }

  /** protocol.md [S7] */
  #pinComplaint(from: SideName, link: Link, { pin, pinnedTo }: Way): string | undefined {
    if (pin === undefined || pin === link || !this.#world.side(from).held.has(pin.number)) return undefined
    const { known } = this.#half(this.#sent, from, pin.number)
    return known >= pinnedTo
      ? undefined
      : `leaves carrier ${pin.number} with ${pinnedTo - known} bytes unacknowledged [S7]`
  }

  #streamComplaint(from: SideName, way: Way, frame: Frame): string | undefined {
    if (frame.type === 'open') {
      const isNew = way.pin === undefined
      if (isNew && frame.stream !== ++this.#lastId) return `of id ${frame.stream} after ${this.#lastId - 1}`
      way.granted = Math.max(way.granted, frame.credit)
      return undefined
    }
    if (from === 'edge' && frame.type === 'accept') return 'by the edge'
    if (frame.type === 'reset') {
      way.isReset = true
      return undefined
    }
    if (way.isReset) return 'after its RESET'
    if (frame.type === 'end') {
      if (frame.final !== way.sent) return `${frame.final} after ${way.sent} bytes [S6]`
      if (way.final !== undefined && way.final !== frame.final) return `${frame.final} and ${way.final} [S2]`
      way.final = frame.final
      return undefined
    }
    if (frame.type !== 'data') return undefined
    const to = frame.offset + frame.bytes.length
    if (to > way.limit) return `to ${to} with a limit of ${way.limit} [W3]`
    if (frame.offset > way.sent) return `at ${frame.offset} after ${way.sent} bytes [S2]`
    if (way.final !== undefined && to > way.final) return `past its end [S2]`
    if (frame.offset < way.acked) return `at ${frame.offset}, of which ${way.acked} are known to have arrived [R4]`
    way.sent = Math.max(way.sent, to)
    return undefined
  }

  #lostComplaint(from: SideName, entries: readonly (readonly [number, number])[]): string | undefined {
    for (const [number, received] of entries) {
      if (this.#world.side(from).held.has(number)) return `of carrier ${number}, which it holds [R3]`
      const { ledgered } = this.#half(this.#read, from, number)
      if (received !== ledgered) return `of carrier ${number} with ${received} instead of ${ledgered} [R3]`
    }
    return undefined
  }
}
