/** A time limit that can stand still, as it must while a session has no carrier. */
export class Countdown {
  readonly #onExpired: () => void
  readonly #ms: number
  readonly #kept: boolean
  #leftMs: number
  #dueAt = 0
  #timer: NodeJS.Timeout | undefined
  #state: 'stopped' | 'running' | 'paused' = 'stopped'

  /** `kept`: it is used again and again, and its timer is left to run out. Such a one is to be disposed of. */
  constructor(ms: number, onExpired: () => void, { kept = false }: { kept?: boolean } = {}) {
    this.#ms = ms
    this.#leftMs = ms
    this.#onExpired = onExpired
    this.#kept = kept
  }

  get ms(): number {
    return this.#ms
  }

  /** Begins anew with the whole time; a paused one stays paused. Cheap enough to be called for each chunk of a body. */
  restart(): void {
    this.#leftMs = this.#ms
    if (this.#state !== 'paused') this.#run()
  }

  stop(): void {
    this.#state = 'stopped'
    if (!this.#kept) this.dispose()
  }

  pause(): void {
    if (this.#state !== 'running') return
    this.#state = 'paused'
    this.#leftMs = this.#dueAt - performance.now()
  }

  resume(): void {
    if (this.#state === 'paused') this.#run()
  }

  /** Ends the timer. */
  dispose(): void {
    this.#state = 'stopped'
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** A timer that is early only looks again; it is never late, for the time that is due never moves back. */
  #run(): void {
    this.#state = 'running'
    this.#dueAt = performance.now() + this.#leftMs
    if (this.#timer === undefined) this.#wait(this.#leftMs)
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(ms)))
    // It may outlast what it was for.
    if (this.#kept) this.#timer.unref()
  }

  #look(): void {
    this.#timer = undefined
    if (this.#state !== 'running') return
    const leftMs = this.#dueAt - performance.now()
    if (leftMs > 0) return this.#wait(leftMs)
    this.#state = 'stopped'
    this.#onExpired()
  }
}
