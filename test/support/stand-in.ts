import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Program } from './program.ts'
import { connect, read } from './socket.ts'

/**
 * In the place of a service that takes whoever comes for its one client: the agent goes through the public port of what it
 * publishes, and asks over UDP whether anybody is there until somebody is. Once that is over, nobody comes by itself.
 */
export class StandIn {
  readonly #server: Server
  readonly #leaveUdp: (() => Promise<void>) | undefined

  private constructor(server: Server, leaveUdp: (() => Promise<void>) | undefined) {
    this.#server = server
    this.#leaveUdp = leaveUdp
  }

  /** Has a port of 127.0.0.1, over TCP and perhaps over UDP. */
  static async open(port: number, udp: boolean = false): Promise<StandIn> {
    const server = createServer((socket) => socket.on('error', () => {}).end('soon')).listen(port, '127.0.0.1')
    await once(server, 'listening')
    return new StandIn(server, udp ? await standInUdp(port) : undefined)
  }

  /** Leaves the port to the service, once `agent` has looked at all there is to it; `publicPort`: over TCP. */
  async leave(agent: Program, publicPort: number): Promise<void> {
    await agent.until(({ event, public: address }) => event === 'check' && String(address).endsWith(`:${publicPort}`))
    // What that has left on its way comes before this.
    const visitor = await connect(publicPort)
    await read(visitor)
    visitor.destroy()
    await this.#leaveUdp?.()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** Answers how to leave, once somebody has looked. */
async function standInUdp(port: number): Promise<() => Promise<void>> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  await once(socket, 'listening')
  const looked = once(socket, 'message')
  return async () => {
    await looked
    socket.close()
    await once(socket, 'close')
  }
}
