import { CREDIT, type FrameReader } from '../wire/frame.ts'
import type { CarrierState, Millis } from './events.ts'
import { Ledger } from './ledger.ts'
import { ackQuantum, Pace } from './pace.ts'
import { Queue } from './queue.ts'
import type { MuxStream } from './stream.ts'

/** When nothing was read for this long, ask. protocol.md [R6] */
const IDLE_PING_MS = 4000
/** When bytes are unacknowledged for this long, ask. protocol.md [R6] */
const BUSY_PING_MS = 500
/** protocol.md [R7] */
const SUSPECT_MS = 1000
/** Before the first PONG nothing is known of the line. protocol.md [R7] */
const SUSPECT_UNKNOWN_MS = 3000
/** What a line is taken to carry at least until it has shown more, bytes per ms: 40 kbit/s. protocol.md [R7] */
const ASSUMED_RATE = 5
/** What goes out so soon after a silence has begun may delay the answer, what goes later cannot. */
const BUSY_MS = 100
/** A line that fell silent and came back will do so again: so many times its longest silence lately, at most `SUSPECT_UNKNOWN_MS`. protocol.md [R7] */
const SILENCES = 3
/** For how long a silence counts, at least: the longest of this span and of the one before it. */
const SILENCE_SPAN_MS = 30_000
/** protocol.md [R8] */
const LOST_MS = 10_000
/** However slow the line is. protocol.md [R8] */
export const MOST_SILENCE_MS = 30_000
/**
 * Where packets are lost, TCP sends again after a round trip or more, then after two, four, eight of them. So many round
 * trips of silence, as the other carriers measure them now, and so many of the slowest lately, are nothing. protocol.md [R8]
 */
const RETRY_TRIPS = 20
const RETRY_SLOWEST = 10
/** Faster round trips say nothing of the kind: TCP would have sent again several times within a second. */
const SLOW_TRIP_MS = 250
/** Of the slowest round trip lately, what each faster one leaves. */
const SLOWEST_KEPT = 0.9
/** protocol.md [R2] */
const ACK_DELAY_MS = 20
/** Datagrams that wait for a carrier, bytes; more are dropped. protocol.md [U3] */
const DATAGRAM_ROOM = 256 * 1024
/** A stream that sent less than this lately is interactive; what it sent counts half after each half-life. */
const INTERACTIVE_BYTES = 64 * 1024
const BURST_HALF_MS = 100

/** What a ledger entry belongs to: a stream, or the session itself (LOST, GOAWAY). */
export type EntryOwner = MuxStream | undefined

export interface Datagram {
  readonly flow: number
  readonly flags: number
  readonly opening: Uint8Array | undefined
  readonly bytes: Uint8Array
}

/** One carrier as one end sees it: ledger, pace, queues, and the signs of its life. Spec: protocol.md §6. */
export class CarrierEnd {
  readonly number: number
  readonly ledger: Ledger<EntryOwner> = new Ledger()
  readonly pace: Pace = new Pace()
  /** When its handshake was done. */
  readonly since: Millis
  reader!: FrameReader
  suspect = false
  lastReadAt: Millis
  /** A frame has come over it: a finished handshake alone is no proof of life. */
  hasRead = false
  receivedBytes = 0
  sentBytes = 0
  /** Of these, what an earlier carrier had taken already. */
  resentBytes = 0
  /** Whatever was sent before this has been answered: a whole round trip was made since. */
  provenAt: Millis = Number.NEGATIVE_INFINITY
  #lastRtt = 0
  /** Of the round trips lately, ms; it fades with each one. */
  #slowestRtt = 0
  /** Room was made here to measure the line. */
  hasRoom = false
  /** Streams that were ever pinned here. */
  pins = 0

  readonly #signals = new Queue<MuxStream>()
  readonly #interactive = new Queue<MuxStream>()
  readonly #bulk = new Queue<MuxStream>()
  readonly #datagrams = new Queue<Datagram>()
  #datagramBytes = 0

  pongDue: number | undefined
  pingDue = true
  #ping: { readonly token: number; readonly at: Millis } | undefined
  #nextToken = 1
  #lastPingAt: Millis
  /** Since when something is unanswered; undefined while nothing is. */
  #waitSince: Millis | undefined
  /** How long the line was busy with what all carriers had in flight, since they may share it, when this silence began. */
  #busyMs = 0
  #longestSilence = 0
  #longestBefore = 0
  #silenceTurnedAt: Millis

  #acked = 0
  #ackDueAt: Millis | undefined
  #readRate: number | undefined
  #rateAt: Millis
  #rateFrom = 0
  goawaySent = false

  constructor(number: number, now: Millis) {
    this.number = number
    this.since = now
    this.lastReadAt = now
    this.#lastPingAt = now
    this.#rateAt = now
    this.#silenceTurnedAt = now
  }

  // Reading and acknowledging

  read(bytes: number, now: Millis): void {
    if (this.silentSince !== undefined) this.#cameBack(now - this.silentSince, now)
    this.receivedBytes += bytes
    this.lastReadAt = now
    this.hasRead = true
    if (now - this.#rateAt < 50) return
    this.#readRate = (this.receivedBytes - this.#rateFrom) / (now - this.#rateAt)
    this.#rateAt = now
    this.#rateFrom = this.receivedBytes
  }

  /** Called after reading: starts the clock of the next ACK. */
  noteReceived(now: Millis): void {
    if (this.reader.ledgered > this.#acked) this.#ackDueAt ??= now + ACK_DELAY_MS
  }

  get ackPending(): boolean {
    return this.reader.ledgered > this.#acked
  }

  ackIsDue(now: Millis): boolean {
    if (!this.ackPending) return false
    return now >= (this.#ackDueAt ?? now) || this.reader.ledgered - this.#acked >= ackQuantum(this.#readRate)
  }

  takeAck(): number {
    this.#acked = this.reader.ledgered
    this.#ackDueAt = undefined
    return this.#acked
  }

  // Sending

  /** A ledgered frame of `bytes` went out. */
  sent(type: number, owner: EntryOwner, bytes: number, now: Millis, from = 0, to = 0): void {
    if (this.ledger.inFlight === 0 && this.#ping === undefined) this.#waitSince = now
    this.ledger.add(type, owner, bytes, from, to)
    this.pace.sending(this.ledger.sent, this.ledger.acked, now)
    if (owner !== undefined && type !== CREDIT) owner.outstanding++
  }

  startPing(now: Millis): number {
    this.pingDue = false
    this.#lastPingAt = now
    if (this.ledger.inFlight === 0) this.#waitSince = now
    this.#ping = { token: this.#nextToken++, at: now }
    return this.#ping.token
  }

  pong(token: number, now: Millis): void {
    if (this.#ping?.token !== token) return
    this.pace.measured(this.#ping.at, now)
    this.#lastRtt = now - this.#ping.at
    this.#slowestRtt = Math.max(this.#lastRtt, this.#slowestRtt * SLOWEST_KEPT)
    this.provenAt = this.#ping.at
    this.#ping = undefined
    this.answered()
  }

  /** Something was acknowledged or answered. */
  answered(): void {
    if (this.#ping === undefined && this.ledger.inFlight === 0) this.#waitSince = undefined
  }

  wantsPing(now: Millis): boolean {
    if (this.#ping !== undefined) return false
    return this.pingDue || now >= this.#pingAt()
  }

  #pingAt(): Millis {
    if (this.ledger.inFlight > 0) return Math.max(this.#waitSince ?? 0, this.#lastPingAt) + BUSY_PING_MS
    return Math.max(this.lastReadAt, this.#lastPingAt) + IDLE_PING_MS
  }

  // Life and death

  /** Since when it is silent although something is unanswered. */
  get silentSince(): Millis | undefined {
    return this.#waitSince === undefined ? undefined : Math.max(this.#waitSince, this.lastReadAt)
  }

  /** How long its line is busy with what it has in flight. */
  get drainMs(): number {
    const { rate, shown } = this.pace
    return this.ledger.inFlight / (rate ?? Math.max(shown, ASSUMED_RATE))
  }

  /** After sending; `busyMs`: the sum of all carriers' `drainMs`. */
  noteBusy(busyMs: number, now: Millis): void {
    if (this.silentSince === undefined || now - this.silentSince <= BUSY_MS) this.#busyMs = busyMs
  }

  get #patienceMs(): number {
    const { smoothedRtt } = this.pace
    if (smoothedRtt === undefined) return SUSPECT_UNKNOWN_MS + this.#busyMs
    const silence = Math.max(this.#longestSilence, this.#longestBefore)
    return Math.max(SUSPECT_MS, 4 * smoothedRtt + this.#busyMs, Math.min(SILENCES * silence, SUSPECT_UNKNOWN_MS))
  }

  #cameBack(silenceMs: number, now: Millis): void {
    if (now - this.#silenceTurnedAt > SILENCE_SPAN_MS) {
      this.#longestBefore = this.#longestSilence
      this.#longestSilence = 0
      this.#silenceTurnedAt = now
    }
    this.#longestSilence = Math.max(this.#longestSilence, silenceMs)
  }

  isSilent(now: Millis): boolean {
    const since = this.silentSince
    return since !== undefined && now >= since + this.#patienceMs
  }

  /** Of the round trips lately, and of the one that was not over when something was read last, ms. */
  get #slowest(): number {
    return this.#ping === undefined ? this.#slowestRtt : Math.max(this.#slowestRtt, this.lastReadAt - this.#ping.at)
  }

  /** How long another carrier on the same line may be silent and yet come back, by what this one shows, ms. */
  get retryMs(): number {
    const slowest = this.#slowest
    if (slowest < SLOW_TRIP_MS) return 0
    return Math.max(this.#lastRtt < SLOW_TRIP_MS ? 0 : RETRY_TRIPS * this.#lastRtt, RETRY_SLOWEST * slowest)
  }

  /** `retryMs`: the most that another carrier shows. */
  isDead(retryMs: number, now: Millis): boolean {
    return now >= this.#deadAt(retryMs)
  }

  /** A PING that is due and finds no room in a full socket is unanswered, too. */
  #deadAt(retryMs: number): Millis {
    const askedAt = this.#ping?.at ?? this.#pingAt()
    return Math.max(askedAt, this.lastReadAt) + Math.min(MOST_SILENCE_MS, Math.max(LOST_MS, retryMs))
  }

  /** The process was held up: what came late was our own look at the clock. protocol.md [R8] */
  forgive(delayMs: number, now: Millis): void {
    this.lastReadAt = Math.min(now, this.lastReadAt + delayMs)
    if (this.#waitSince !== undefined) this.#waitSince = Math.min(now, this.#waitSince + delayMs)
  }

  deadline(retryMs: number): Millis {
    let due = this.#ackDueAt ?? Number.POSITIVE_INFINITY
    due = Math.min(due, this.#ping === undefined ? this.#pingAt() : this.#deadAt(retryMs))
    const since = this.silentSince
    if (since !== undefined && !this.suspect) due = Math.min(due, since + this.#patienceMs)
    return due
  }

  // Queues

  queueSignal(stream: MuxStream): void {
    if (stream.signalQueue === this) return
    stream.signalQueue = this
    this.#signals.push(stream)
  }

  nextSignal(): MuxStream | undefined {
    return this.#next(this.#signals, 'signalQueue')
  }

  queueData(stream: MuxStream, now: Millis): void {
    if (stream.dataQueue === this) return
    stream.dataQueue = this
    const queue = this.#recent(stream, now) < INTERACTIVE_BYTES ? this.#interactive : this.#bulk
    queue.push(stream)
  }

  /** Interactive before bulk; in each, whoever waited longest. */
  nextData(): MuxStream | undefined {
    return this.#next(this.#interactive, 'dataQueue') ?? this.#next(this.#bulk, 'dataQueue')
  }

  get othersWait(): boolean {
    return this.#interactive.length + this.#bulk.length > 0
  }

  /** Answers whether it is still interactive. */
  countBurst(stream: MuxStream, bytes: number, now: Millis): boolean {
    stream.burst = this.#recent(stream, now) + bytes
    stream.burstAt = now
    return stream.burst < INTERACTIVE_BYTES
  }

  #recent(stream: MuxStream, now: Millis): number {
    return stream.burst === 0 ? 0 : stream.burst * 2 ** (-(now - stream.burstAt) / BURST_HALF_MS)
  }

  /** Streams that went elsewhere meanwhile are passed over. */
  #next(queue: Queue<MuxStream>, mark: 'signalQueue' | 'dataQueue'): MuxStream | undefined {
    for (let stream = queue.shift(); stream !== undefined; stream = queue.shift()) {
      if (stream[mark] !== this) continue
      stream[mark] = undefined
      if (stream.pin === this) return stream
    }
    return undefined
  }

  /** False when there is no room. */
  queueDatagram(datagram: Datagram): boolean {
    const size = costOf(datagram)
    if (this.#datagramBytes + size > DATAGRAM_ROOM && this.#datagrams.length > 0) return false
    this.#datagramBytes += size
    this.#datagrams.push(datagram)
    return true
  }

  nextDatagram(): Datagram | undefined {
    const datagram = this.#datagrams.shift()
    if (datagram !== undefined) this.#datagramBytes -= costOf(datagram)
    return datagram
  }

  get load(): number {
    return this.ledger.inFlight + 1024 * (this.#interactive.length + this.#bulk.length)
  }

  get view(): CarrierState {
    const { pace, ledger } = this
    return {
      number: this.number,
      suspect: this.suspect,
      rttMs: pace.smoothedRtt,
      minRttMs: pace.minRtt,
      inFlightBytes: ledger.inFlight,
      capBytes: pace.allowed,
      rate: pace.rate === undefined ? undefined : pace.rate * 1000,
      sentBytes: this.sentBytes,
      receivedBytes: this.receivedBytes,
      resentBytes: this.resentBytes,
      lastReadAt: this.lastReadAt,
    }
  }
}

/** An empty datagram takes memory, too: a peer may ask for any number of them. */
function costOf({ opening, bytes }: Datagram): number {
  return 64 + (opening?.length ?? 0) + bytes.length
}
