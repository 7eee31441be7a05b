import type { Stream } from '@engawa/shared/mux/events'
import type { Tunnel } from '../tunnel/tunnel.ts'

/** Below so many a tunnel's list is not looked through for closed ones. */
const LEAST = 64

interface Open {
  readonly client: string
  readonly stream: Stream
}

interface OfTunnel {
  open: Open[]
  /** Looked through when it has grown to this. */
  full: number
}

/** The open streams of each tunnel and whose they are, so that a changed rule reaches them, too. */
export class OpenStreams {
  readonly #tunnels = new WeakMap<Tunnel, OfTunnel>()

  add(tunnel: Tunnel, client: string, stream: Stream): void {
    const of = this.#tunnels.get(tunnel) ?? { open: [], full: LEAST }
    this.#tunnels.set(tunnel, of)
    of.open.push({ client, stream })
    if (of.open.length < of.full) return
    of.open = of.open.filter((one) => !one.stream.closed)
    of.full = Math.max(LEAST, 2 * of.open.length)
  }

  /** Cuts those that the tunnel does not take any more: visitor and service see a reset, HTTP visitors a page where no answer has begun. */
  enforce(tunnel: Tunnel): void {
    for (const { client, stream } of this.#tunnels.get(tunnel)?.open ?? []) {
      if (stream.closed || tunnel.rules?.admits(client) !== false) continue
      const { handler } = stream
      stream.reset('CANCELLED')
      handler?.reset('BLOCKED')
    }
  }
}
