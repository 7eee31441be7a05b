import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type ClientHttp2Session, connect as connectH2 } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import type { Test } from 'tap'
import type { AccessEntry } from '../../src/access/entry.ts'
import type { VisitorLimits } from '../../src/guard/limits.ts'
import { openVisitorsCa } from '../../src/identity/visitors-ca.ts'
import type { RunningListener } from '../../src/listen/http.ts'
import { startTls } from '../../src/listen/tls.ts'
import { Certificates } from '../../src/tls/certificates.ts'
import { listen, makeAdmission } from './edge.ts'
import { FakeLink } from './fake-link.ts'
import { FakeTable, type FakeTunnel, fakeTunnel } from './fake-table.ts'

export interface SecureEdge {
  readonly port: number
  readonly tls: RunningListener
  readonly service: Server
  readonly link: FakeLink
  readonly tunnel: FakeTunnel
  readonly entries: AccessEntry[]
  /** A visitor's connection over HTTP/2. */
  readonly visit: () => Promise<ClientHttp2Session>
}

export interface SecureOptions {
  readonly name?: string
  readonly domain?: string
  readonly limits?: Partial<VisitorLimits>
  readonly trustedProxies?: string[]
}

/** HTTPS in front of one tunnel, `blog.example.com`, whose service is a node:http server with this listener. */
export async function secureEdge(
  t: Test,
  listener: (...asked: Parameters<RequestListener>) => unknown,
  limits: Partial<VisitorLimits> = {},
  trustedProxies: string[] = [],
): Promise<SecureEdge> {
  const service = createServer((request, response) => void listener(request, response))
  return { ...(await secureBefore(t, await listen(t, service), { limits, trustedProxies })), service }
}

/** As `secureEdge`, for a service of the test's own making. */
export async function secureBefore(
  t: Test,
  service: number,
  { name = 'blog', domain = 'example.com', limits = {}, trustedProxies = [] }: SecureOptions = {},
): Promise<Omit<SecureEdge, 'service'>> {
  const host = `${name}.${domain}`
  const link = new FakeLink(service)
  const table = new FakeTable()
  const tunnel = fakeTunnel({ name, hosts: [host], live: { link, service: 7 } })
  table.tunnels.push(tunnel)
  const visitorsCa = openVisitorsCa(t.testdir(), { domain, addresses: [] }, new Date())
  const certificates = new Certificates({ table, issuer: visitorsCa, domain, bareHosts: [] })
  const entries: AccessEntry[] = []
  const tls = await startTls({
    address: { host: '127.0.0.1', port: 0 },
    admission: makeAdmission(table, { domain, limits, trustedProxies, account: (entry) => entries.push(entry) }),
    certificates,
    onCarrier: (socket) => socket.destroy(),
  })
  t.teardown(() => tls.close(0))
  const visit = async (): Promise<ClientHttp2Session> => {
    const session = connectH2(`https://${host}`, {
      createConnection: () =>
        connectTls({
          port: tls.port,
          host: '127.0.0.1',
          servername: host,
          ca: visitorsCa.certificate,
          ALPNProtocols: ['h2'],
        }),
    })
    session.on('error', () => {})
    t.teardown(() => session.destroy())
    await once(session, 'connect')
    return session
  }
  return { port: tls.port, tls, link, tunnel, entries, visit }
}
