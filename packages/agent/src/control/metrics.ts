import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Address, formatAddress } from '@engawa/shared/addresses'
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
    if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    void holder.metrics().then((text) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(text))
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
