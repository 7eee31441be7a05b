import { setImmediate } from 'node:timers/promises'
import type { PortChange, Tunnel } from '../tunnel/tunnel.ts'

/** How long one turn of the loop may be spent on opening ports, milliseconds: visitors wait for its end. */
const SLICE_MS = 5

/** Goes through the ports of tunnels that come and go: opens them in slices, so that a thousand delay nobody, and closes them at once. */
export class Openings {
  /** What each tunnel wanted last: an opening that is still at work for something older stops. */
  readonly #newest = new Map<Tunnel, PortChange>()
  readonly #working = new Set<Promise<void>>()
  #ended = false

  /** Calls `each` for every port of the change; resolves when that is done. */
  async follow(change: PortChange, each: (port: number) => void): Promise<void> {
    const { tunnel, listen } = change
    // The tunnel may have others before this is done.
    const { ports } = tunnel
    if (ports === undefined || this.#ended) return
    if (!listen) {
      this.#newest.delete(tunnel)
      for (let port = ports[0]; port <= ports[1]; port++) each(port)
      return
    }
    this.#newest.set(tunnel, change)
    const work = this.#open(change, ports, each)
    this.#working.add(work)
    await work
    this.#working.delete(work)
    if (this.#newest.get(tunnel) === change) this.#newest.delete(tunnel)
  }

  async #open(change: PortChange, [from, to]: readonly [number, number], each: (port: number) => void): Promise<void> {
    let since = performance.now()
    for (let port = from; port <= to; port++) {
      if (performance.now() - since >= SLICE_MS) {
        // oxlint-disable-next-line no-await-in-loop -- that is what it is for
        await setImmediate()
        if (this.#ended || this.#newest.get(change.tunnel) !== change) return
        since = performance.now()
      }
      each(port)
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#working)
  }

  /** Nothing is opened any more. */
  end(): void {
    this.#ended = true
  }
}
