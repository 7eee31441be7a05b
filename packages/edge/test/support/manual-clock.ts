import type { Clock } from '@engawa/shared/carrier/clock'

interface Timer {
  readonly at: number
  readonly run: () => void
}

/** Time that goes on when the test says so; the loop's turns are real. */
export class ManualClock implements Clock {
  #now = 1000
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  /** How many are set. */
  get timers(): number {
    return this.#timers.size
  }

  setTimer(run: () => void, delayMs: number): unknown {
    const timer = { at: this.#now + delayMs, run }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  soon(run: () => void): void {
    setImmediate(run)
  }

  /** Runs every timer that becomes due, in order, each followed by a few turns of the loop. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await turns()
    }
    this.#now = until
    await turns()
  }
}

/** Lets everything that is under way in memory come to rest. */
export async function turns(count: number = 8): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}
