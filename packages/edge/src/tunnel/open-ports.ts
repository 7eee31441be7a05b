import type { Clock } from '@engawa/shared/carrier/clock'
import type { PortChange, Tunnel } from './tunnel.ts'

/** Which tunnels' ports are to listen, and until when. Whoever does the listening hears of each change. */
export class OpenPorts {
  readonly #clock: Clock
  readonly #listeners: ((change: PortChange) => unknown)[] = []
  /** With the timer that closes it, where its agent is away. */
  readonly #open = new Map<Tunnel, unknown>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Hears at once of those that are open. */
  hear(listener: (change: PortChange) => unknown): void {
    this.#listeners.push(listener)
    for (const tunnel of this.#open.keys()) listener({ tunnel, listen: true })
  }

  has(tunnel: Tunnel): boolean {
    return this.#open.has(tunnel)
  }

  /** Until `close`. Resolves when the listeners that can tell have done it. */
  async open(tunnel: Tunnel): Promise<void> {
    if (tunnel.ports === undefined) return
    const wasOpen = this.#open.has(tunnel)
    this.#clock.clearTimer(this.#open.get(tunnel))
    this.#open.set(tunnel, undefined)
    if (!wasOpen) await this.#tell({ tunnel, listen: true })
  }

  /** For so long, while no agent is there. */
  openFor(tunnel: Tunnel, ms: number): void {
    if (tunnel.ports === undefined) return
    void this.open(tunnel)
    this.#open.set(
      tunnel,
      this.#clock.setTimer(() => this.close(tunnel), Math.max(0, ms)),
    )
  }

  /** Before its ports are others. */
  close(tunnel: Tunnel): void {
    if (!this.#open.has(tunnel)) return
    this.#clock.clearTimer(this.#open.get(tunnel))
    this.#open.delete(tunnel)
    void this.#tell({ tunnel, listen: false })
  }

  /** Stops all timers, when the edge stops. */
  stop(): void {
    for (const timer of this.#open.values()) this.#clock.clearTimer(timer)
  }

  async #tell(change: PortChange): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener(change)))
  }
}
