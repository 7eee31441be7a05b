import type { Outgoing, Upstream, UpstreamEvents } from './upstream.ts'

/** How long nothing may move before all who wait are let go, and how long the last of them may have to wait, ms. */
const LOOK_MS = 10
const MOST_MS = 50

/** A request that waits for a service connection to get free. It has no body. */
export interface Waiting extends Upstream {
  readonly outgoing: Outgoing
  readonly head: Buffer
  readonly events: UpstreamEvents
  /** Its turn has come: what it is on now. */
  asked: Upstream | undefined
}

/**
 * Requests that wait a moment for a service connection that others are on: where answers come soon, a connection that
 * gets free is there earlier than a new one, and costs the agent and the service nothing. Where none gets free, or not
 * enough of them, nobody waits any longer. As many as a visitor connection may have requests at once.
 */
export class WaitingLine {
  readonly #line: Waiting[] = []
  readonly #release: (all: Waiting[]) => void
  /** Since the last look. */
  #served = 0
  #lookedAt = 0
  #timer: NodeJS.Timeout | undefined
  #begun: NodeJS.Immediate | undefined
  /** It was waited for in vain: from now on nobody should. */
  vain = false

  /** `release`: those who need not wait any longer. */
  constructor(release: (all: Waiting[]) => void) {
    this.#release = release
  }

  add(outgoing: Outgoing, head: Buffer, events: UpstreamEvents): Upstream {
    const waiting: Waiting = {
      outgoing,
      head,
      events,
      asked: undefined,
      write: () => true,
      end: () => waiting.asked?.end(),
      destroy: () => (waiting.asked === undefined ? this.#forget(waiting) : waiting.asked.destroy()),
    }
    this.#line.push(waiting)
    // Answers can't come before this turn of the loop is over, and it may be a long one.
    if (this.#line.length === 1) this.#begun = setImmediate(() => this.#look(true))
    return waiting
  }

  /** The first who waits for `service`. */
  next(service: string): Waiting | undefined {
    const at = this.#line.findIndex(({ outgoing }) => outgoing.service === service)
    if (at < 0) return undefined
    const [first] = this.#line.splice(at, 1)
    this.#served++
    if (this.#line.length === 0) this.#rest()
    return first
  }

  /** Nobody is there to be answered any more. */
  clear(): void {
    this.#line.length = 0
    this.#rest()
  }

  #forget(waiting: Waiting): void {
    const at = this.#line.indexOf(waiting)
    if (at >= 0) this.#line.splice(at, 1)
    if (this.#line.length === 0) this.#rest()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#begun)
  }

  #look(first: boolean): void {
    const now = performance.now()
    const toGoMs = (this.#line.length / this.#served) * (now - this.#lookedAt)
    if (!first && toGoMs > MOST_MS) {
      this.vain = true
      return this.#release(this.#line.splice(0))
    }
    this.#served = 0
    this.#lookedAt = now
    this.#timer = setTimeout(() => this.#look(false), LOOK_MS)
  }
}
