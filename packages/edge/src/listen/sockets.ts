import { createServer, type Server, type Socket } from 'node:net'
import { EngawaError } from '@engawa/shared/errors'
import { breakOff } from '@engawa/shared/stream/splice'
import { OWN_SOCKETS, type SocketSource } from '../generation/peers.ts'

/** Where to listen; an empty host means every interface, both families. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** How a listener ends. */
export interface Closing {
  /** Nothing is taken away from those that are there: another generation takes what is new. */
  readonly gently?: boolean
}

/** A listening port with the sockets it has accepted. */
export interface Listening {
  readonly host: string
  readonly port: number
  readonly sockets: ReadonlySet<Socket>
  /** The socket is no visitor's: closing does not wait for it. */
  release(socket: Socket): void
  /** Takes nothing new. Resolves when its sockets have gone; those that are there after `drainMs` are destroyed. */
  close(drainMs: number): Promise<void>
}

export interface ListenOptions {
  readonly paused?: boolean
  readonly cut?: (socket: Socket) => void
  /** Where the listening socket comes from. */
  readonly from?: SocketSource
  /** Tells listeners apart that ask for the same address. */
  readonly use?: string
}

/** Listens on TCP. Throws LISTEN_FAILED. Sockets come half-open-able and without delay. `cut`: how a close ends those that stay. */
export async function listenTcp(
  address: ListenAddress,
  accepted: (socket: Socket) => void,
  { paused = false, cut = breakOff, from = OWN_SOCKETS, use = 'port' }: ListenOptions = {},
): Promise<Listening> {
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  const release = (socket: Socket): void => {
    if (!sockets.delete(socket) || sockets.size > 0) return
    for (const emptied of waiting) emptied()
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: paused }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => release(socket))
    accepted(socket)
  })
  const end = await begin(server, { address, from, use })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new EngawaError('LISTEN_FAILED', 'no address after listening')
  return {
    host: bound.address,
    port: bound.port,
    sockets,
    release,
    close: async (drainMs) => {
      end()
      if (sockets.size === 0) return
      const empty = new Promise<void>((resolve) => waiting.add(resolve))
      const timer = setTimeout(() => {
        for (const socket of sockets) cut(socket)
      }, drainMs)
      await empty
      clearTimeout(timer)
    },
  }
}

async function begin(
  server: Server,
  { address, from, use }: { address: ListenAddress; from: SocketSource; use: string },
): Promise<() => void> {
  try {
    return await from.listen(server, address, use)
  } catch (cause) {
    const { host, port } = address
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new EngawaError('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${why}`, { cause })
  } finally {
    // EMFILE and its like: the next connection tries again.
    server.on('error', () => {})
  }
}
