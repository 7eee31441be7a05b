import type { Millis } from './events.ts'

/** In flight before a rate is known, and its frames, bytes: a dead or slow line should cost little. protocol.md [R9] */
const FIRST_CAP = 16 * 1024
const FIRST_FRAME = 4 * 1024
/** The cap never goes below this once a rate is known, bytes; on a slow line it is what goes in `FLOOR_MS`, but no less than at first. */
const LEAST_CAP = 64 * 1024
const FLOOR_MS = 100
/** An ACK is due after this time at the latest: on a slow line that comes before its quantum. protocol.md [R2] */
const ACK_DELAY_MS = 20
/** In flight over all carriers of a session, bytes. */
const MAX_IN_FLIGHT = 16 * 1024 * 1024
/** Queue that we allow for what no clock shows: a busy event loop at either end. docs/decisions/0002. */
const SLACK_MS = 4
const GROWTH = 1.25
const FLAT_ROUNDS = 3
const SAMPLES = 10
/** Of what was shown once, how much is still believed a round later. */
const SHOWN_KEPT = 0.9
/** How long a smallest round trip is believed, and how often full load makes room to measure it. */
const RTT_AGE_MS = 10_000
const FRAME_MS = 10
const ALONE_FRAME = 256 * 1024
const SHARED_FRAME = 64 * 1024

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
  /** Bytes per millisecond, the best of the last rounds; undefined before the first full round. */
  rate: number | undefined
  /** What was seen to go through while there was no more to send, bytes per ms: the line carries at least this. */
  shown = 0
  smoothedRtt: number | undefined
  #rttNow = Number.POSITIVE_INFINITY
  #rttBefore = Number.POSITIVE_INFINITY
  #rttTurnedAt: Millis = 0
  #samples: number[] = []
  #flat = 0
  #starting = true
  /**
   * A round lasts until something is acknowledged that was sent after its beginning, so it is a whole round trip. Of what
   * was sent before, all may be acknowledged at once: ACKs, too, wait in queues and come together.
   */
  #roundAt: Millis = 0
  #roundAcked = 0
  #roundEnd = -1
  #limited = false
  #limitedSince: Millis | undefined
  /** The cap is halved until a PONG has measured the line without our queue. */
  probing = false

  get minRtt(): number | undefined {
    const least = Math.min(this.#rttNow, this.#rttBefore)
    return Number.isFinite(least) ? least : undefined
  }

  /** How many bytes may be in flight now. */
  get allowed(): number {
    return this.probing ? this.cap / 2 : this.cap
  }

  /** Payload of the next DATA frame at most. */
  frameBytes(alone: boolean): number {
    if (this.rate === undefined) return FIRST_FRAME
    return Math.max(FIRST_FRAME, Math.min(this.rate * FRAME_MS, alone ? ALONE_FRAME : SHARED_FRAME))
  }

  measured(rttMs: number, now: Millis): void {
    this.smoothedRtt = this.smoothedRtt === undefined ? rttMs : this.smoothedRtt * 0.875 + rttMs * 0.125
    if (this.probing) {
      this.probing = false
      this.#rttNow = rttMs
      this.#rttBefore = Number.POSITIVE_INFINITY
      this.#rttTurnedAt = now
      this.#limitedSince = undefined
    } else if (now - this.#rttTurnedAt > RTT_AGE_MS) {
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

  /** Answers whether a PING should measure the line now. */
  acknowledged(sent: number, acked: number, now: Millis, carriers: number): boolean {
    if (this.#roundEnd < 0) return false
    if (acked <= this.#roundEnd) {
      // Nothing more can come: the next frame begins anew.
      if (sent === acked) {
        this.#roundEnd = -1
        this.#limited = false
      }
      return false
    }
    let probe = false
    if (this.#limited) {
      this.#sample(
        (acked - this.#roundAcked) / Math.max(now - this.#roundAt, 0.05),
        MAX_IN_FLIGHT / Math.max(1, carriers),
      )
      this.#limitedSince ??= now
      probe = !this.probing && now - this.#limitedSince > RTT_AGE_MS
      if (probe) this.probing = true
    } else {
      this.#limitedSince = undefined
      this.shown = Math.max((acked - this.#roundAcked) / Math.max(now - this.#roundAt, 0.05), this.shown * SHOWN_KEPT)
    }
    this.#limited = false
    if (sent > acked) this.#begin(sent, acked, now)
    else this.#roundEnd = -1
    return probe
  }

  #begin(sent: number, acked: number, now: Millis): void {
    this.#roundAt = now
    this.#roundAcked = acked
    this.#roundEnd = sent
  }

  #sample(rate: number, mostBytes: number): void {
    const best = this.rate ?? 0
    this.#samples.push(rate)
    if (this.#samples.length > SAMPLES) this.#samples.shift()
    this.rate = Math.max(...this.#samples)
    if (this.#starting) {
      this.#flat = rate < best * GROWTH ? this.#flat + 1 : 0
      this.#starting = this.#flat < FLAT_ROUNDS
    }
    const quantum = Math.min(ackQuantum(this.rate), Math.max(FIRST_FRAME, this.rate * ACK_DELAY_MS))
    const steady = GROWTH * this.rate * (this.minRtt ?? 0) + this.rate * SLACK_MS + 2 * quantum
    const floor = Math.max(FIRST_CAP, Math.min(LEAST_CAP, this.rate * FLOOR_MS))
    // A line that has no more to give than what it showed at first is not to be filled for seconds to learn it.
    const start = Math.max(FIRST_CAP, Math.min(this.cap * 2, 2 * this.rate * ((this.minRtt ?? 0) + FLOOR_MS)))
    const wanted = this.#starting ? start : Math.max(floor, steady)
    this.cap = Math.min(wanted, mostBytes)
  }
}
