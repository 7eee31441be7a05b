import { STREAM_FLOOR } from '../wire/limits.ts'
import type { Millis } from './events.ts'

/** No window grows past this, bytes. */
const MAX_WINDOW = 16 * 1024 * 1024
/** Round trips shorter than this are taken as this long: below it the event loop, not the line, sets the pace. */
const SHORTEST_TRIP_MS = 5
/** CREDIT is worth a frame from this many bytes on. */
const LEAST_UPDATE = 4096

/** What one session may grant besides the floor that every stream has. Spec: protocol.md [W4]. */
export class CreditPool {
  readonly shared: number
  /** Granted above the floors and not yet consumed, bytes. */
  used = 0
  /** Received and not yet consumed, bytes. */
  waiting = 0

  constructor(budgetBytes: number, maxStreams: number) {
    this.shared = Math.max(0, budgetBytes - STREAM_FLOOR * maxStreams)
  }

  get free(): number {
    return Math.max(0, this.shared - this.used)
  }
}

/**
 * Receive credit of one stream, in bytes. Spec: protocol.md §5.
 *
 * Credit returns when the consumer reads, not when bytes arrive: otherwise a
 * slow visitor would make the edge buffer the whole download.
 */
export class ReceiveWindow {
  /** How far the peer may send. */
  limit: number
  received = 0
  consumed = 0
  readonly #pool: CreditPool
  /** How far ahead of the consumer the limit should be. */
  #target: number
  #extra = 0
  /** A growth step looks at how long it took to consume one target. */
  #stepFrom = 0
  #stepAt: Millis = 0
  /** No byte will follow: the peer hears of no limit any more, least of all of a lower one. protocol.md [W3] */
  finished = false

  constructor(pool: CreditPool, limit: number) {
    this.#pool = pool
    this.limit = limit
    this.#target = Math.max(limit, STREAM_FLOOR)
    this.#account()
  }

  arrived(count: number, now: Millis): void {
    if (this.received === 0) this.#stepAt = now
    this.received += count
    this.#pool.waiting += count
  }

  /** The consumer took `count` bytes; true when the peer should hear of a new limit. */
  take(count: number, now: Millis, rttMs: number): boolean {
    this.consumed += count
    this.#pool.waiting -= count
    this.#account()
    if (this.finished) return false
    this.#adapt(now, rttMs)
    const wanted = this.consumed + this.#target
    if (wanted - this.limit < Math.max(this.#target >> 3, LEAST_UPDATE)) return false
    // Less than wanted while others hold the pool: then, too, only in steps worth a frame.
    const next = Math.min(wanted, this.consumed + STREAM_FLOOR + this.#extra + this.#pool.free)
    if (next - this.limit < LEAST_UPDATE) return false
    this.limit = next
    this.#account()
    return true
  }

  /** No byte will follow: what was granted and not used goes back. */
  finish(): void {
    this.finished = true
    this.limit = this.received
    this.#account()
  }

  /** The stream was reset: its bytes are nobody's any more. */
  drop(): void {
    this.finish()
    this.#pool.waiting -= this.received - this.consumed
    this.consumed = this.received
    this.#account()
  }

  #adapt(now: Millis, rttMs: number): void {
    if (this.consumed - this.#stepFrom < this.#target) return
    const trip = Math.max(rttMs, SHORTEST_TRIP_MS)
    const tookMs = now - this.#stepAt
    if (tookMs < 2 * trip) this.#target += Math.min(this.#target, this.#pool.free >> 3, MAX_WINDOW - this.#target)
    else if (tookMs > 16 * trip) this.#target = Math.max(STREAM_FLOOR, this.#target >> 1)
    this.#stepFrom = this.consumed
    this.#stepAt = now
  }

  #account(): void {
    const extra = Math.max(0, this.limit - this.consumed - STREAM_FLOOR)
    this.#pool.used += extra - this.#extra
    this.#extra = extra
  }
}
