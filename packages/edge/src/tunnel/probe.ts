import { once } from 'node:events'
import { createServer } from 'node:net'
import type { PortRange } from '@engawa/shared/ports'

/** The first port of a range that some other program of this machine has; undefined: all are free. */
export type Probe = (host: string, range: PortRange) => Promise<number | undefined>

/** Tries each port by listening on it for a moment. `host` empty: all interfaces. */
export const probeTcp: Probe = async (host, [from, to]) => {
  for (let port = from; port <= to; port++) {
    if (!(await isFree(host, port))) return port
  }
  return undefined
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen({ port, ...(host === '' ? {} : { host }), exclusive: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false
  }
}
