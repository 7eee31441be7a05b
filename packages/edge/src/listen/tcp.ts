import type { Socket } from 'node:net'
import { breakOff } from '@engawa/shared/stream/splice'
import type { Admission } from '../admit.ts'
import { forwardTcp } from '../forward/tcp.ts'
import { OWN_SOCKETS, type SocketSource } from '../generation/peers.ts'
import { HttpFront, refuse } from './http.ts'
import { Openings } from './openings.ts'
import { type Closing, type Listening, listenTcp } from './sockets.ts'

/** When a port was not free: whoever has it may let go. */
const RETRY_MS = 5000

export interface TcpPorts {
  /** Resolves when every port that was wanted by now listens or has failed once. */
  settled(): Promise<void>
  close(drainMs?: number, closing?: Closing): Promise<void>
}

/** Listens on the ports of tunnels as they come and go; those of HTTP tunnels speak HTTP. `bind`: a host; empty for all interfaces. */
export function startTcpPorts({
  bind,
  admission,
  source = OWN_SOCKETS,
}: {
  bind: string
  admission: Admission
  source?: SocketSource | undefined
}): TcpPorts {
  const ports = new Map<number, TcpPort>()
  const front = new HttpFront(admission)
  const openings = new Openings()
  admission.table.onPorts(async (change) => {
    const { tunnel, listen } = change
    if (tunnel.protocol === 'udp') return
    const speaks = tunnel.protocol === 'http' ? front : undefined
    await openings.follow(change, (port) => {
      const former = ports.get(port)
      if (listen && former?.front === speaks && former !== undefined) return undefined
      ports.delete(port)
      // Its sockets go down in their own time, the port is free at once.
      void former?.close(0)
      if (!listen) return undefined
      const begun = new TcpPort({ admission, bind, port, front: speaks, source })
      ports.set(port, begun)
      return begun.tried
    })
  })
  return {
    settled: () => openings.settled(),
    close: async (drainMs = 0, { gently = false } = {}) => {
      openings.end()
      if (gently) front.retire()
      else front.drain()
      await Promise.all([...ports.values()].map((port) => port.close(drainMs)))
      front.close()
    },
  }
}

interface PortOptions {
  readonly admission: Admission
  readonly bind: string
  readonly port: number
  /** For the port of an HTTP tunnel. */
  readonly front: HttpFront | undefined
  readonly source: SocketSource
}

/** One port, for as long as it is wanted. */
class TcpPort {
  /** After the first attempt. */
  readonly tried: Promise<void>
  readonly #options: PortOptions
  #listening: Listening | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  get front(): HttpFront | undefined {
    return this.#options.front
  }

  constructor(options: PortOptions) {
    this.#options = options
    this.tried = this.#listen()
  }

  async #listen(): Promise<void> {
    const { admission, bind, port, front, source } = this.#options
    try {
      const paused = front === undefined
      this.#listening = await listenTcp({ host: bind, port }, (socket) => this.#accept(socket), {
        paused,
        from: source,
      })
      if (this.#closed) await this.#listening.close(0)
    } catch (error) {
      admission.log.warn({ err: error, port }, 'port not available')
      if (!this.#closed) this.#retry = setTimeout(() => void this.#listen(), RETRY_MS)
    }
  }

  #accept(socket: Socket): void {
    const { admission, port, front } = this.#options
    socket.on('error', () => {})
    const pass = admission.door.enter(socket.remoteAddress)
    if (typeof pass === 'string') {
      admission.refused(front === undefined ? 'tcp' : 'http', pass)
      if (front === undefined) breakOff(socket)
      else refuse(socket, pass)
      return
    }
    socket.once('close', () => pass.leave())
    if (front !== undefined && admission.denies(socket.remoteAddress, port)) {
      admission.refused('http', 'BLOCKED')
      return breakOff(socket)
    }
    if (front === undefined) void forwardTcp(admission, socket, { protocol: 'tcp', port })
    else front.take(socket, { wire: socket, ownPort: true })
  }

  async close(drainMs: number): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#listening?.close(drainMs)
  }
}
