import type { Stream } from '@engawa/shared/mux/events'
import type { Tunnel } from '../tunnel/tunnel.ts'

/** Below so many a tunnel's list is not looked through for closed ones as it grows. */
const LEAST = 64
/** The longest that what has closed is kept, ms: a closed stream holds its socket and what was said on it. */
const LOOK_MS = 10_000

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
  /** Those that have some. */
  readonly #tunnels = new Map<Tunnel, OfTunnel>()
  #timer: NodeJS.Timeout | undefined

  /** Streams that are remembered: all open ones, and for a while some that have closed. */
  get held(): number {
    return [...this.#tunnels.values()].reduce((sum, { open }) => sum + open.length, 0)
  }

  add(tunnel: Tunnel, client: string, stream: Stream): void {
    const of = this.#tunnels.get(tunnel) ?? { open: [], full: LEAST }
    this.#tunnels.set(tunnel, of)
    of.open.push({ client, stream })
    if (of.open.length >= of.full) forgetClosed(of)
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** Cuts those that the tunnel does not take any more: visitor and service see a reset, HTTP visitors a page where no answer has begun. */
  enforce(tunnel: Tunnel): void {
    const of = this.#tunnels.get(tunnel)
    if (of === undefined) return
    const isRefused = ({ client, stream }: Open): boolean => !stream.closed && tunnel.rules?.admits(client) === false
    // In place of what is cut another may be opened: a request is sent once more, or one that has waited has its turn.
    // It comes to an end: what is reset is closed, and each request is tried a few times at most.
    for (let all = of.open.filter(isRefused); all.length > 0; all = of.open.filter(isRefused)) {
      for (const { stream } of all) {
        const { handler } = stream
        stream.reset('CANCELLED')
        handler?.reset('BLOCKED')
      }
    }
  }

  #look(): void {
    for (const [tunnel, of] of this.#tunnels) {
      forgetClosed(of)
      if (of.open.length === 0) this.#tunnels.delete(tunnel)
    }
    if (this.#tunnels.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function forgetClosed(of: OfTunnel): void {
  of.open = of.open.filter(({ stream }) => !stream.closed)
  of.full = Math.max(LEAST, 2 * of.open.length)
}
