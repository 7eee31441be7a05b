/** One direction of a line with a queue of its own: what finds the queue full is dropped. Carriers share it. */
export class Bottleneck {
  #rate: number
  #room: number
  readonly #delayMs: number
  #freeAt = 0

  /** `rate` in bytes per ms, `room` in bytes, `delayMs` from the line's end on. */
  constructor(rate: number, room: number, delayMs: number) {
    this.#rate = rate
    this.#room = room
    this.#delayMs = delayMs
  }

  /** From now on. */
  become(rate: number, room: number): void {
    this.#rate = rate
    this.#room = room
  }

  /** When a packet of `bytes` arrives; undefined: never. */
  carry(bytes: number, now: number): number | undefined {
    const from = Math.max(this.#freeAt, now)
    if ((from - now) * this.#rate + bytes > this.#room) return undefined
    this.#freeAt = from + bytes / this.#rate
    return this.#freeAt + this.#delayMs
  }
}

const HEADERS = 52
const SEGMENT = 1428
/** RFC 6928 */
const FIRST_WINDOW = 10
/** As Linux has it; RFC 6298 says 1 s. */
const LEAST_RTO_MS = 200
const MOST_RTO_MS = 120_000
/** RFC 9438 §4.6 */
const DECREASE = 0.7
const NEVER = Number.POSITIVE_INFINITY

interface Segment {
  readonly from: number
  readonly to: number
  sentAt: number
  state: 'flying' | 'arrived' | 'lost'
}

interface Acknowledgement {
  readonly at: number
  readonly next: number
  readonly segment: Segment
  /** When the segment that it answers had left. */
  readonly sentAt: number
}

/**
 * One direction of a carrier over TCP, in virtual time, as far as slowness and silence go: a window that grows and shrinks,
 * selective acknowledgements, retransmission after what overtook (RFC 8985 §6.2 without reordering) and, when nothing
 * does, after a time that doubles (RFC 6298). What arrives out of order waits, and so does a record until it is whole.
 */
export class TcpPipe {
  readonly delayMs: number
  stalledUntil = 0
  closesAt: number = NEVER
  readonly #out: Bottleneck
  readonly #back: Bottleneck
  /** Of what was pushed: where each record ends, and its bytes. */
  readonly #records: { readonly end: number; readonly bytes: Uint8Array }[] = []
  #pushed = 0
  #cutAt = NEVER

  #segments: Segment[] = []
  #sent = 0
  #window = FIRST_WINDOW
  #threshold = NEVER
  #recoverUntil = 0
  #smoothedRtt: number | undefined
  #variance = 0
  #backOff = 1
  #timerAt = NEVER

  #received = 0
  readonly #early = new Map<number, number>()
  #arrivals: { readonly at: number; readonly segment: Segment; readonly sentAt: number }[] = []
  #acks: Acknowledgement[] = []

  constructor(delayMs: number, out: Bottleneck, back: Bottleneck) {
    this.delayMs = delayMs
    this.#out = out
    this.#back = back
  }

  get isEmpty(): boolean {
    return this.nextAt === NEVER
  }

  get pendingBytes(): number {
    return this.#pushed - this.#received
  }

  push(bytes: Uint8Array, now: number): void {
    if (this.#cutAt !== NEVER || bytes.length === 0) return
    this.#pushed += bytes.length
    this.#records.push({ end: this.#pushed, bytes: new Uint8Array(bytes) })
    this.#send(now)
  }

  get nextAt(): number {
    const ready = this.#isReady ? this.stalledUntil : NEVER
    return Math.min(ready, this.#arrivals[0]?.at ?? NEVER, this.#acks[0]?.at ?? NEVER, this.#timerAt)
  }

  /** A record that is whole; undefined when there is none. */
  take(now: number): Uint8Array | undefined {
    this.#run(now)
    if (!this.#isReady || this.stalledUntil > now) return undefined
    return this.#records.shift()?.bytes
  }

  /** Nothing arrives any more. */
  cut(): void {
    this.#cutAt = this.#received
    this.#arrivals = []
    this.#acks = []
    this.#timerAt = NEVER
    this.#records.length = 0
  }

  get #isReady(): boolean {
    const [record] = this.#records
    return record !== undefined && record.end <= this.#received
  }

  #run(now: number): void {
    for (let arrival = this.#arrivals[0]; arrival !== undefined && arrival.at <= now; arrival = this.#arrivals[0]) {
      this.#arrivals.shift()
      this.#arrive(arrival.segment, arrival.sentAt, arrival.at)
    }
    for (let ack = this.#acks[0]; ack !== undefined && ack.at <= now; ack = this.#acks[0]) {
      this.#acks.shift()
      this.#acknowledged(ack)
    }
    if (this.#timerAt <= now) {
      for (const segment of this.#segments) if (segment.state === 'flying') segment.state = 'lost'
      this.#threshold = Math.max(2, this.#window * DECREASE)
      this.#window = 1
      this.#backOff *= 2
      this.#recoverUntil = this.#sent
      this.#timerAt = NEVER
      this.#send(now)
    }
  }

  #arrive(segment: Segment, sentAt: number, now: number): void {
    this.#early.set(segment.from, segment.to)
    for (let to = this.#early.get(this.#received); to !== undefined; to = this.#early.get(this.#received)) {
      this.#early.delete(this.#received)
      this.#received = to
    }
    if (segment.to <= this.#received) this.#early.delete(segment.from)
    const at = this.#back.carry(HEADERS, now)
    if (at !== undefined) this.#acks.push({ at, next: this.#received, segment, sentAt })
  }

  #acknowledged({ at, next, segment, sentAt }: Acknowledgement): void {
    this.#measured(at - sentAt)
    segment.state = 'arrived'
    const before = this.#segments.length
    this.#segments = this.#segments.filter(({ to, state }) => to > next && state !== 'arrived')
    let isLost = false
    for (const other of this.#segments) {
      // The line keeps the order: what left before this and is not there will not come.
      if (other.state !== 'flying' || other.sentAt >= sentAt) continue
      other.state = 'lost'
      isLost ||= other.from >= this.#recoverUntil
    }
    if (isLost) {
      this.#threshold = Math.max(2, this.#window * DECREASE)
      this.#window = this.#threshold
      this.#recoverUntil = this.#sent
    } else if (this.#window < this.#threshold) this.#window += before - this.#segments.length
    else this.#window += (before - this.#segments.length) / this.#window
    this.#backOff = 1
    this.#timerAt = this.#segments.length > 0 ? at + this.#rto : NEVER
    this.#send(at)
  }

  #measured(rtt: number): void {
    if (this.#smoothedRtt === undefined) {
      this.#smoothedRtt = rtt
      this.#variance = rtt / 2
      return
    }
    this.#variance += (Math.abs(rtt - this.#smoothedRtt) - this.#variance) / 4
    this.#smoothedRtt += (rtt - this.#smoothedRtt) / 8
  }

  get #rto(): number {
    const rtt = this.#smoothedRtt === undefined ? 1000 : this.#smoothedRtt + Math.max(LEAST_RTO_MS, 4 * this.#variance)
    return Math.min(MOST_RTO_MS, rtt * this.#backOff)
  }

  #send(now: number): void {
    if (this.#cutAt !== NEVER) return
    let flying = this.#segments.filter(({ state }) => state === 'flying').length
    for (const segment of this.#segments) {
      if (flying >= this.#window) break
      if (segment.state !== 'lost') continue
      this.#transmit(segment, now)
      flying++
    }
    while (flying < this.#window && this.#sent < this.#pushed) {
      const to = Math.min(this.#pushed, this.#sent + SEGMENT)
      const segment: Segment = { from: this.#sent, to, sentAt: now, state: 'flying' }
      this.#sent = to
      this.#segments.push(segment)
      this.#transmit(segment, now)
      flying++
    }
  }

  #transmit(segment: Segment, now: number): void {
    segment.state = 'flying'
    segment.sentAt = now
    if (this.#timerAt === NEVER) this.#timerAt = now + this.#rto
    const at = this.#out.carry(segment.to - segment.from + HEADERS, now)
    if (at !== undefined) this.#arrivals.push({ at, segment, sentAt: now })
  }
}
