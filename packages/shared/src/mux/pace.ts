import type { Millis } from './events.ts'

/** In flight before a rate is known, and its frames, bytes: a dead or slow line should cost little. protocol.md [R9] */
const FIRST_CAP = 16 * 1024
const FIRST_FRAME = 4 * 1024
/** The cap never goes below this once a rate is known, bytes; on a slow line it is what goes in `FLOOR_MS`, but no less than `SLOW_CAP`. */
const LEAST_CAP = 64 * 1024
const SLOW_CAP = 8 * 1024
const FLOOR_MS = 100
/** On a slow line so much of it is handed over together, ms, but not less than so many bytes. protocol.md [R9] */
const PIECE_MS = 160
const LEAST_PIECE = 2 * 1024
/** Of TLS, RFC 8446 §5.1. */
const RECORD_BYTES = 16 * 1024
/** An ACK is due after this time at the latest: on a slow line that comes before its quantum. protocol.md [R2] */
const ACK_DELAY_MS = 20
/** In flight over all carriers of a session, bytes. */
const MAX_IN_FLIGHT = 16 * 1024 * 1024
/**
 * Queue that we allow for what no clock shows: a busy event loop at either end. On a long line, which keeps none busy, half
 * of it will do. docs/decisions/0002.
 */
const SLACK_MS = 4
const LEAST_SLACK_MS = 2
/** However fast they are, an event loop moves no more than half of this in a turn. */
const MOST_SLACK = 1024 * 1024
/** While somebody converses: turns that move less are over sooner, at both ends. docs/decisions/0002. */
const ATTENTIVE_SLACK = 64 * 1024
/** The slack shrinks by this part of the round trip. */
const SHRINKING = 8
const GROWTH = 1.25
const FLAT_ROUNDS = 3
/** While the rate still grows, so many times what it needs. */
const START = 2
const SAMPLES = 10
/** On a slow line ten rounds are a minute: what is older than this is forgotten, but for the last two. */
const SAMPLE_AGE_MS = 1000
/** Of what was shown once, how much is still believed a round later. */
const SHOWN_KEPT = 0.9
/** How long a smallest round trip is believed, and how often full load makes room to measure it. */
const RTT_AGE_MS = 10_000
/** No frame lasts longer, so that what waits behind it does not. */
const FRAME_MS = 2
const MOST_FRAME = 256 * 1024
/** While others wait a frame is no longer than this, or what goes in `SHARED_MS`: where that is much, cutting reads apart costs more than it brings. */
const SHARED_FRAME = 64 * 1024
const SHARED_MS = 0.5

/** Bytes after which an ACK is due at `rate` bytes/ms. protocol.md [R2] */
export function ackQuantum(rate: number | undefined): number {
  return Math.min(64 * 1024, Math.max(16 * 1024, (rate ?? 0) * 5))
}

/**
 * How fast one carrier takes bytes, and how many may be in flight on it.
 *
 * Latency under load is the bytes in flight divided by the rate, so what is in
 * flight follows rate × round trip and the queue stays in our scheduler, where
 * an interactive stream can pass. Spec: protocol.md [R9]; shape after BBR.
 */
export class Pace {
  cap: number = FIRST_CAP
  /** Somebody converses: what is in flight is what they wait for. */
  attentive = false
  /** Bytes per millisecond, the best of the last rounds; undefined before the first full round. */
  rate: number | undefined
  /** What was seen to go through while there was no more to send, bytes per ms: the line carries at least this. */
  shown = 0
  smoothedRtt: number | undefined
  #rttNow = Number.POSITIVE_INFINITY
  #rttBefore = Number.POSITIVE_INFINITY
  #rttTurnedAt: Millis = 0
  #samples: { readonly rate: number; readonly at: Millis }[] = []
  /** The round before, if it showed the line. */
  #before: { readonly bytes: number; readonly tookMs: number } | undefined
  #flat = 0
  #starting = true
  /**
   * A round lasts until something is acknowledged that was sent after its beginning, so it is a whole round trip. Of what
   * was sent before, all may be acknowledged at once: ACKs, too, wait in queues and come together.
   */
  #roundAt: Millis = 0
  #roundAcked = 0
  #roundEnd = -1
  /** More was under way when it began than the known rate needs: what it shows is the line, not its user. */
  #full = false
  #limited = false
  #limitedSince: Millis | undefined
  /** The cap is halved until a PING has measured the line without our queue: 'now' knows no other, 'too' is one more. */
  #probe: 'none' | 'now' | 'too' = 'none'
  /** Since when what is in flight fits into half the cap: a PING sent earlier waited in our own queue. */
  #drainedAt: Millis | undefined

  get minRtt(): number | undefined {
    const least = Math.min(this.#rttNow, this.#rttBefore)
    return Number.isFinite(least) ? least : undefined
  }

  /** How many bytes may be in flight now. */
  get allowed(): number {
    return this.#probe === 'none' ? this.cap : this.cap / 2
  }

  /** A record of TLS takes long on this line, and nothing of one is read before all of it is there. */
  get isSlow(): boolean {
    return this.rate !== undefined && this.rate * PIECE_MS < RECORD_BYTES
  }

  /** What is handed over together at most, bytes. */
  get pieceBytes(): number {
    return this.isSlow ? Math.max(LEAST_PIECE, (this.rate ?? 0) * PIECE_MS) : Number.POSITIVE_INFINITY
  }

  /** Payload of the next DATA frame at most. */
  frameBytes(alone: boolean): number {
    if (this.rate === undefined) return FIRST_FRAME
    if (this.isSlow) return this.pieceBytes
    const most = alone ? MOST_FRAME : Math.min(MOST_FRAME, Math.max(SHARED_FRAME, this.rate * SHARED_MS))
    return Math.max(FIRST_FRAME, Math.min(this.rate * FRAME_MS, most))
  }

  /** A PING was answered that was sent at `sentAt`. */
  measured(sentAt: Millis, now: Millis): void {
    const rttMs = now - sentAt
    this.smoothedRtt = this.smoothedRtt === undefined ? rttMs : this.smoothedRtt * 0.875 + rttMs * 0.125
    const isProbe = this.#drainedAt !== undefined && sentAt >= this.#drainedAt
    if (isProbe && this.#probe === 'now') {
      this.#rttNow = rttMs
      this.#rttBefore = Number.POSITIVE_INFINITY
      this.#rttTurnedAt = now
    } else this.#trip(rttMs, now)
    if (!isProbe) return
    this.#probe = 'none'
    this.#drainedAt = undefined
    this.#limitedSince = undefined
  }

  /** The line takes no longer than this. */
  #trip(rttMs: Millis, now: Millis): void {
    if (now - this.#rttTurnedAt > RTT_AGE_MS) {
      this.#rttBefore = this.#rttNow
      this.#rttNow = rttMs
      this.#rttTurnedAt = now
    } else this.#rttNow = Math.min(this.#rttNow, rttMs)
  }

  /** Bytes were sent; `sent` and `acked` are the ledger's sums after it. */
  sending(sent: number, acked: number, now: Millis): void {
    // The first frame is part of its round.
    if (this.#roundEnd < 0) this.#begin(sent - 1, acked, now)
  }

  /** The cap held something back. */
  held(): void {
    this.#limited = true
  }

  /** Another carrier is to measure the line, and this one may fill the same. */
  makeRoom(): void {
    if (this.#probe === 'none') this.#probe = 'now'
  }

  /** All carriers have made room: a PING that is sent from now on measures the line without our queue. */
  roomMade(now: Millis): void {
    this.#drainedAt = now
  }

  /** Answers whether there is room now to measure the line: see `roomMade`. */
  acknowledged(sent: number, acked: number, now: Millis, carriers: number): boolean {
    this.#acknowledged(sent, acked, now, MAX_IN_FLIGHT / Math.max(1, carriers))
    return this.#probe !== 'none' && this.#drainedAt === undefined && sent - acked <= this.allowed
  }

  #acknowledged(sent: number, acked: number, now: Millis, mostBytes: number): void {
    if (this.#roundEnd < 0) return
    if (acked <= this.#roundEnd) {
      // Nothing more can come: the next frame begins anew.
      if (sent === acked) {
        this.#roundEnd = -1
        this.#limited = false
      }
      return
    }
    const bytes = acked - this.#roundAcked
    const tookMs = Math.max(now - this.#roundAt, 0.05)
    // PINGs are rare, and where the first one found everything cold it alone would tell for seconds how long the line is.
    this.#trip(tookMs, now)
    const rate = bytes / tookMs
    if (this.#limited || this.#full) {
      this.#sample(bytes, tookMs, mostBytes, now)
      this.#limitedSince ??= now
      if (this.#probe === 'none' && now - this.#limitedSince > RTT_AGE_MS) this.#probe = 'now'
    } else {
      this.#before = undefined
      this.#limitedSince = undefined
      this.shown = Math.max(rate, this.shown * SHOWN_KEPT)
    }
    this.#limited = false
    if (sent > acked) this.#begin(sent, acked, now)
    else this.#roundEnd = -1
  }

  #begin(sent: number, acked: number, now: Millis): void {
    this.#roundAt = now
    this.#roundAcked = acked
    this.#roundEnd = sent
    this.#full = this.rate !== undefined && sent - acked >= this.#steady(this.rate)
  }

  #isStale(now: Millis): boolean {
    const [oldest, , another] = this.#samples
    return another !== undefined && oldest !== undefined && oldest.at < now - SAMPLE_AGE_MS
  }

  #sample(bytes: number, tookMs: number, mostBytes: number, now: Millis): void {
    const best = this.rate ?? 0
    // Over two rounds: an ACK that comes late makes its own slow and the next one fast, and the best is what is believed.
    const before = this.#starting ? undefined : this.#before
    const rate = (bytes + (before?.bytes ?? 0)) / (tookMs + (before?.tookMs ?? 0))
    this.#before = { bytes, tookMs }
    this.#samples.push({ rate, at: now })
    while (this.#samples.length > SAMPLES || this.#isStale(now)) this.#samples.shift()
    this.rate = Math.max(...this.#samples.map((sample) => sample.rate))
    if (this.#starting) {
      this.#flat = rate < best * GROWTH ? this.#flat + 1 : 0
      this.#starting = this.#flat < FLAT_ROUNDS
      if (!this.#starting && this.#probe === 'none') this.#probe = 'too'
    }
    const steady = this.#steady(this.rate)
    // Not by doubling alone: a line that has no more to give would be filled for seconds to learn it.
    const wanted = this.#starting ? Math.min(this.cap * 2, START * steady) : steady
    this.cap = Math.min(wanted, mostBytes)
  }

  /** What fills a line of that rate, and little more. */
  #steady(rate: number): number {
    const quantum = Math.min(ackQuantum(rate), Math.max(FIRST_FRAME, rate * ACK_DELAY_MS))
    const floor = Math.max(SLOW_CAP, Math.min(LEAST_CAP, rate * FLOOR_MS))
    const trip = this.minRtt ?? 0
    const slack = Math.max(LEAST_SLACK_MS, SLACK_MS - trip / SHRINKING)
    const most = this.attentive ? ATTENTIVE_SLACK : MOST_SLACK
    return Math.max(floor, GROWTH * rate * trip, rate * trip + Math.min(rate * slack, most) + 2 * quantum)
  }
}
