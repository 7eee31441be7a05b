import type { Clock } from '@engawa/shared/carrier/clock'
import type { Store } from '../store/store.ts'

/** How long what was seen may wait for others, ms: when an edge has started, all its agents come at once. */
const TOGETHER_MS = 500

/** When agents were there last, only for people to read: written together, and a full disk must not keep an agent out. */
export class Sightings {
  readonly #store: Store
  readonly #clock: Clock
  readonly #failed: (agent: number, error: unknown) => void
  /** Wall-clock milliseconds by agent. */
  readonly #seen = new Map<number, number>()
  #timer: unknown

  constructor(store: Store, clock: Clock, failed: (agent: number, error: unknown) => void) {
    this.#store = store
    this.#clock = clock
    this.#failed = failed
  }

  note(agent: number): void {
    this.#seen.set(agent, Date.now())
    this.#timer ??= this.#clock.setTimer(() => this.write(), TOGETHER_MS)
  }

  write(): void {
    this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    const seen = [...this.#seen]
    this.#seen.clear()
    const [first] = seen
    if (first === undefined) return
    try {
      this.#store.transaction(() => {
        for (const [agent, at] of seen) this.#store.agents.seen(agent, at)
      })
    } catch (error) {
      this.#failed(first[0], error)
    }
  }
}
