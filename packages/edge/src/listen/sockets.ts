import { createServer, type Server, type Socket } from 'node:net'
import { EngawaError } from '@engawa/shared/errors'
import { breakOff } from '@engawa/shared/stream/splice'

/** Where to listen; an empty host means every interface, both families. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
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

/** Listens on TCP. Throws LISTEN_FAILED. Sockets come half-open-able and without delay. `cut`: how a close ends those that stay. */
export async function listenTcp(
  address: ListenAddress,
  accepted: (socket: Socket) => void,
  { paused = false, cut = breakOff }: { paused?: boolean; cut?: (socket: Socket) => void } = {},
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
  await begin(server, address)
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new EngawaError('LISTEN_FAILED', 'no address after listening')
  return {
    host: bound.address,
    port: bound.port,
    sockets,
    release,
    close: async (drainMs) => {
      server.close(() => {})
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

function begin(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void =>
      reject(new EngawaError('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }))
    server.once('error', failed)
    server.listen({ port, backlog: 1024, ...(host === '' ? {} : { host }) }, () => {
      server.off('error', failed)
      // EMFILE and its like: the next connection tries again.
      server.on('error', () => {})
      resolve()
    })
  })
}
