import { setImmediate } from 'node:timers/promises'
import type { PortChange, Tunnel } from '../tunnel/tunnel.ts'

/** How long one turn of the loop may be spent on opening ports, milliseconds: visitors wait for its end. */
const SLICE_MS = 5
/** Ports at work at a time: what each needs meanwhile goes before the next ones come. */
const SLICE_PORTS = 64

/** Opens a port; resolves when it listens or has failed. Closes one at once. */
type Each = (port: number) => Promise<void> | undefined

/** Goes through the ports of tunnels that come and go: opens them in slices, so that a thousand delay nobody, and closes them at once. */
export class Openings {
  /** What each tunnel wanted last: an opening that is still at work for something older stops. */
  readonly #newest = new Map<Tunnel, PortChange>()
  readonly #working = new Set<Promise<void>>()
  #ended = false

  /** Calls `each` for every port of the change; resolves when each is done. */
  async follow(change: PortChange, each: Each): Promise<void> {
    const { tunnel, listen } = change
    // The tunnel may have others before this is done.
    const { ports } = tunnel
    if (ports === undefined || this.#ended) return
    if (!listen) {
      this.#newest.delete(tunnel)
      for (let port = ports[0]; port <= ports[1]; port++) void each(port)
      return
    }
    this.#newest.set(tunnel, change)
    const work = this.#open(change, ports, each)
    this.#working.add(work)
    await work
    this.#working.delete(work)
    if (this.#newest.get(tunnel) === change) this.#newest.delete(tunnel)
  }

  async #open(change: PortChange, [from, to]: readonly [number, number], each: Each): Promise<void> {
    for (let port = from; port <= to; ) {
      const since = performance.now()
      const slice: Promise<void>[] = []
      while (port <= to && slice.length < SLICE_PORTS && performance.now() - since < SLICE_MS) {
        const opening = each(port++)
        if (opening !== undefined) slice.push(opening)
      }
      // oxlint-disable-next-line no-await-in-loop -- that is what it is for
      await Promise.all(slice)
      if (port > to) return
      // oxlint-disable-next-line no-await-in-loop -- that is what it is for
      await setImmediate()
      if (this.#ended || this.#newest.get(change.tunnel) !== change) return
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
