import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv4, type Server } from 'node:net'
import type { PortRange } from '@engawa/shared/ports'

/** The first port of a range that some other program of this machine has; undefined: all are free. `host` empty: all interfaces. */
export type Probe = (transport: 'tcp' | 'udp', host: string, range: PortRange) => Promise<number | undefined>

/** Tries each port by taking it for a moment. */
export const probePorts: Probe = async (transport, host, [from, to]) => {
  const server = createServer()
  for (let port = from; port <= to; port++) {
    const free = transport === 'udp' ? isFreeUdp(host, port) : isFreeTcp(server, host, port)
    if (!(await free)) return port
  }
  return undefined
}

async function isFreeUdp(host: string, port: number): Promise<boolean> {
  const socket = createSocket(isIPv4(host) ? 'udp4' : 'udp6')
  try {
    socket.bind({ port, exclusive: true, ...(host === '' ? {} : { address: host }) })
    await once(socket, 'listening')
    return true
  } catch (error) {
    // A machine without IPv6.
    return host === '' && (error as NodeJS.ErrnoException).code !== 'EADDRINUSE' && isFreeUdp('0.0.0.0', port)
  } finally {
    socket.close()
  }
}

/** The same `server` for one port after the other: there may be a thousand of them. */
function isFreeTcp(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const taken = (): void => resolve(false)
    server.once('error', taken)
    server.listen({ port, ...(host === '' ? {} : { host }), exclusive: true }, () => {
      server.off('error', taken).close(() => resolve(true))
    })
  })
}
