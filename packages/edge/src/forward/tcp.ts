import type { Socket } from 'node:net'
import { codeOf } from '@engawa/shared/errors'
import { breakOff, splice } from '@engawa/shared/stream/splice'
import { type Admission, type Ends, endsOf, type Visitor, type Wanted } from '../admit.ts'

/**
 * Carries one connection to a tunnel's port, or one of TLS that stays unopened, held while its agent is away.
 * What was read of the socket has been unshifted, and nothing flows.
 */
export async function forwardTcp(
  admission: Admission,
  socket: Socket,
  wanted: Exclude<Wanted, { protocol: 'http' }>,
  { peer, local }: Ends = endsOf(socket),
): Promise<void> {
  const visitor: Visitor = {
    peer,
    client: peer.address,
    local,
    secure: false,
    serverName: wanted.protocol === 'tls' ? wanted.serverName : undefined,
    ownPort: false,
  }
  const toPort = wanted.protocol === 'tls' ? {} : { port: wanted.port }
  const gone = new AbortController()
  const left = (): void => gone.abort()
  socket.once('close', left)
  try {
    const tunnel = admission.find(visitor, wanted)
    const { traffic } = tunnel
    traffic.total++
    traffic.open++
    socket.once('close', () => traffic.open--)
    const reached = await admission.reach(tunnel, visitor, { ...toPort, signal: gone.signal })
    if (socket.destroyed) return
    const stream = reached.open()
    socket.off('close', left)
    splice(socket, stream, {
      onBytes: (fromSocket, toSocket) => {
        traffic.received += fromSocket
        traffic.sent += toSocket
      },
    })
  } catch (error) {
    const code = codeOf(error)
    // Who left by itself was not refused.
    if (!socket.destroyed) admission.refused(wanted.protocol, code)
    if (code === 'INTERNAL') admission.log.error({ err: error, ...wanted }, 'connection failed')
    else admission.log.debug({ code, ...wanted, visitor: visitor.peer.address }, 'connection refused')
    breakOff(socket)
  }
}
