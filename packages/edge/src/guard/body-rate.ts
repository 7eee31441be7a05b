import type { VisitorLimits } from './limits.ts'

const SAMPLE_MS = 1000

/**
 * Finds request bodies that trickle in to hold a connection open (slow POST).
 *
 * Only the time counts in which the edge was willing to read: a slow service is no visitor's fault.
 */
export class BodyRate {
  readonly #limits: Pick<VisitorLimits, 'bodyBytesPerSecond' | 'bodyGraceMs'>
  readonly #timer: NodeJS.Timeout
  #bytes = 0
  #willingMs = 0
  #sampledAt = performance.now()

  constructor(
    limits: Pick<VisitorLimits, 'bodyBytesPerSecond' | 'bodyGraceMs'>,
    { willing, tooSlow }: { willing: () => boolean; tooSlow: () => void },
  ) {
    this.#limits = limits
    this.#timer = setInterval(
      () => {
        const now = performance.now()
        if (willing()) this.#willingMs += now - this.#sampledAt
        this.#sampledAt = now
        if (!this.#keepsUp()) {
          this.stop()
          tooSlow()
        }
      },
      Math.max(10, Math.min(SAMPLE_MS, limits.bodyGraceMs)),
    )
  }

  received(bytes: number): void {
    this.#bytes += bytes
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #keepsUp(): boolean {
    const countedMs = this.#willingMs - this.#limits.bodyGraceMs
    return countedMs <= 0 || this.#bytes >= (countedMs / 1000) * this.#limits.bodyBytesPerSecond
  }
}
