/** A time limit that can stand still, as it must while a session has no carrier. */
export class Countdown {
  readonly #onExpired: () => void
  readonly #ms: number
  #leftMs: number
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #state: 'stopped' | 'running' | 'paused' = 'stopped'

  constructor(ms: number, onExpired: () => void) {
    this.#ms = ms
    this.#leftMs = ms
    this.#onExpired = onExpired
  }

  /** Begins anew with the whole time; a paused one stays paused. */
  restart(): void {
    const whole = this.#leftMs === this.#ms
    this.#leftMs = this.#ms
    if (this.#state === 'paused') return
    if (this.#state !== 'running' || !whole) return this.#run()
    // Cheap enough to be called for each chunk of a body.
    this.#startedAt = performance.now()
    this.#timer?.refresh()
  }

  stop(): void {
    this.#state = 'stopped'
    clearTimeout(this.#timer)
  }

  pause(): void {
    if (this.#state !== 'running') return
    this.#state = 'paused'
    clearTimeout(this.#timer)
    this.#leftMs -= performance.now() - this.#startedAt
  }

  resume(): void {
    if (this.#state === 'paused') this.#run()
  }

  #run(): void {
    this.#state = 'running'
    this.#startedAt = performance.now()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, this.#leftMs))
  }

  #expire(): void {
    this.#state = 'stopped'
    this.#onExpired()
  }
}
