import type { Clock } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import type { Live, Tunnel } from './tunnel.ts'

export interface WaitingLimits {
  readonly forMs: number
  readonly requests: number
  readonly bytes: number
}

interface Waiter {
  readonly resolve: (live: Live) => void
  readonly reject: (error: EngawaError) => void
}

/**
 * Visitors who wait for an agent to come back.
 *
 * Bounded in number, bytes and time: while an agent is away its visitors must not fill the edge's memory.
 */
export class Waiting {
  readonly #limits: WaitingLimits
  readonly #clock: Clock
  readonly #waiters = new Map<Tunnel, Set<Waiter>>()
  #count = 0
  #bytes = 0

  constructor(limits: WaitingLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  get size(): number {
    return this.#count
  }

  /** Rejects with AGENT_AWAY when the time is over or there is no room, with CANCELLED when the visitor has gone. */
  wait(tunnel: Tunnel, { bytes = 0, signal }: { bytes?: number; signal?: AbortSignal } = {}): Promise<Live> {
    const { forMs, requests, bytes: most } = this.#limits
    if (signal?.aborted) return Promise.reject(new EngawaError('CANCELLED'))
    if (this.#count >= requests || this.#bytes + bytes > most) {
      return Promise.reject(new EngawaError('AGENT_AWAY', 'too many wait already'))
    }
    return new Promise<Live>((resolve, reject) => {
      const waiters = this.#waiters.get(tunnel) ?? new Set()
      this.#waiters.set(tunnel, waiters)
      const leave = (): void => {
        if (!waiters.delete(waiter)) return
        if (waiters.size === 0 && this.#waiters.get(tunnel) === waiters) this.#waiters.delete(tunnel)
        this.#count--
        this.#bytes -= bytes
        this.#clock.clearTimer(timer)
        signal?.removeEventListener('abort', cancel)
      }
      const fail = (error: EngawaError): void => {
        leave()
        reject(error)
      }
      const waiter: Waiter = {
        resolve: (live) => {
          leave()
          resolve(live)
        },
        reject: fail,
      }
      const cancel = (): void => fail(new EngawaError('CANCELLED'))
      const timer = this.#clock.setTimer(() => fail(new EngawaError('AGENT_AWAY')), forMs)
      signal?.addEventListener('abort', cancel, { once: true })
      waiters.add(waiter)
      this.#count++
      this.#bytes += bytes
    })
  }

  /** The agent is there. */
  wake(tunnel: Tunnel, live: Live): void {
    for (const waiter of this.#waiters.get(tunnel) ?? []) waiter.resolve(live)
  }

  /** It will not come back: the tunnel is gone. */
  abandon(tunnel: Tunnel): void {
    for (const waiter of this.#waiters.get(tunnel) ?? []) waiter.reject(new EngawaError('AGENT_AWAY'))
  }
}
