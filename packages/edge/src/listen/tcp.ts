import type { Socket } from 'node:net'
import type { Admission } from '../admit.ts'
import { forwardTcp } from '../forward/tcp.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { type Listening, listenTcp } from './sockets.ts'

/** When a port was not free: whoever has it may let go. */
const RETRY_MS = 5000

export interface TcpPorts {
  /** Resolves when every port that was wanted by now listens or has failed once. */
  settled(): Promise<void>
  close(drainMs?: number): Promise<void>
}

/** Listens on the ports of TCP tunnels, from the edge's start and as they come and go. `bind`: a host; empty for all interfaces. */
export function startTcpPorts({ bind, admission }: { bind: string; admission: Admission }): TcpPorts {
  const ports = new Map<number, TcpPort>()
  let closed = false
  const change = ({ tunnel, listen }: { tunnel: Tunnel; listen: boolean }): void => {
    if (tunnel.protocol !== 'tcp' || tunnel.ports === undefined || closed) return
    for (let port = tunnel.ports[0]; port <= tunnel.ports[1]; port++) {
      if (listen && !ports.has(port)) ports.set(port, new TcpPort(admission, bind, port))
      if (!listen) {
        void ports.get(port)?.close(0)
        ports.delete(port)
      }
    }
  }
  admission.table.onPorts(change)
  for (const tunnel of admission.table.all()) change({ tunnel, listen: true })
  return {
    settled: async () => void (await Promise.all([...ports.values()].map((port) => port.tried))),
    close: async (drainMs = 0) => {
      closed = true
      await Promise.all([...ports.values()].map((port) => port.close(drainMs)))
    },
  }
}

/** One port, for as long as it is wanted. */
class TcpPort {
  /** After the first attempt. */
  readonly tried: Promise<void>
  readonly #admission: Admission
  readonly #bind: string
  readonly #port: number
  #listening: Listening | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(admission: Admission, bind: string, port: number) {
    this.#admission = admission
    this.#bind = bind
    this.#port = port
    this.tried = this.#listen()
  }

  async #listen(): Promise<void> {
    try {
      const address = { host: this.#bind, port: this.#port }
      this.#listening = await listenTcp(address, (socket) => this.#accept(socket), { paused: true })
      if (this.#closed) await this.#listening.close(0)
    } catch (error) {
      this.#admission.log.warn({ err: error, port: this.#port }, 'port not available')
      if (!this.#closed) this.#retry = setTimeout(() => void this.#listen(), RETRY_MS)
    }
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {})
    const pass = this.#admission.door.enter(socket.remoteAddress)
    if (typeof pass === 'string') return void socket.resetAndDestroy()
    socket.once('close', () => pass.leave())
    void forwardTcp(this.#admission, socket, this.#port)
  }

  async close(drainMs: number): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#listening?.close(drainMs)
  }
}
