import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { type Address, familyOf, formatAddress, hostOfField } from '@engawa/shared/addresses'
import { METRICS_TYPE } from '@engawa/shared/metrics'
import { complaint } from '../complaint.ts'
import type { Holder } from './server.ts'

/** A whole request has to be here within this, ms. */
const REQUEST_MS = 10_000
/** Sockets at once; a Prometheus needs one. */
const CONNECTIONS = 16

export interface MetricsServer {
  /** The real one, port 0 replaced. */
  readonly address: string
  close(): Promise<void>
}

/** `--admin ADDR`: GET /metrics and nothing else. Throws LISTEN_FAILED. */
export async function startMetrics(address: Address, holder: Pick<Holder, 'metrics'>): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    if (!isWelcome(request, address.host)) {
      response.writeHead(403).end()
      return
    }
    if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    holder.metrics().then(
      (text) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  server.maxConnections = CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(complaint('LISTEN_FAILED', (words) => words.adminFailed(formatAddress(address), cause.message), cause))
    })
    server.listen(address.port, address.host === '' ? '::' : address.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    address: formatAddress({ host: address.host, port }),
    async close(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

/**
 * Not the page of another site in somebody's browser, nor a name of its own that it has bound to this machine: a
 * Prometheus asks by an address, by this machine's name or by the one of `--admin`. promises.md, "people at the keyboard"
 */
function isWelcome({ headers }: IncomingMessage, bound: string): boolean {
  if (headers.origin !== undefined || headers['sec-fetch-site'] === 'cross-site') return false
  const asked = hostOfField(headers.host)
  if (asked === undefined) return false
  const own = hostname().toLowerCase()
  return familyOf(asked) !== 0 || ['localhost', bound, own, own.split('.', 1)[0]].includes(asked)
}
