import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { AccessEntry, Account } from '../../src/access/entry.ts'
import { Admission } from '../../src/admit.ts'
import type { Pages } from '../../src/forward/pages.ts'
import type { VisitorLimits } from '../../src/guard/limits.ts'
import type { Memory } from '../../src/guard/memory.ts'
import { LIMITS } from '../../src/limits.ts'
import { startHttp } from '../../src/listen/http.ts'
import { FakeLink } from './fake-link.ts'
import { FakeTable, type FakeTunnel, fakeTunnel } from './fake-table.ts'

/** HTTP/1.1 is read by Node's parser alone in this run, to hold the other way to every test. */
const NODE_HTTP = process.env['ENGAWA_NODE_HTTP'] === '1'

export const quiet = pino({ level: 'silent' })

export interface SmallEdge {
  readonly port: number
  readonly service: Server
  readonly link: FakeLink
  readonly table: FakeTable
  readonly tunnel: FakeTunnel
  readonly admission: Admission
  /** What the access log would hold. */
  readonly entries: AccessEntry[]
}

/** Plain HTTP in front of one tunnel, `blog.example.com`, whose service is a node:http server with this listener. */
export async function smallEdge(
  t: Test,
  listener: (...asked: Parameters<RequestListener>) => unknown,
  options: Omit<AdmissionOptions, 'account'> = {},
): Promise<SmallEdge> {
  const service = createServer((request, response) => void listener(request, response))
  return { ...(await edgeBefore(t, await listen(t, service), options)), service }
}

/** As `smallEdge`, for a service of the test's own making. */
export async function edgeBefore(
  t: Test,
  service: number,
  { host = 'blog.example.com', ...options }: Omit<AdmissionOptions, 'account'> & { host?: string } = {},
): Promise<Omit<SmallEdge, 'service'>> {
  const link = new FakeLink(service)
  const table = new FakeTable()
  const tunnel = fakeTunnel({ name: 'blog', hosts: [host], live: { link, service: 7 } })
  table.tunnels.push(tunnel)
  const entries: AccessEntry[] = []
  const admission = makeAdmission(table, { ...options, account: (entry) => entries.push(entry) })
  const http = await startHttp({ address: { host: '127.0.0.1', port: 0 }, admission })
  t.teardown(() => http.close(0))
  return { port: http.port, link, table, tunnel, admission, entries }
}

export interface AdmissionOptions {
  readonly limits?: Partial<VisitorLimits>
  readonly domain?: string
  readonly trustedProxies?: string[]
  readonly account?: Account
  readonly memory?: Memory
  readonly pages?: Pages
  readonly nodeHttp?: boolean
}

export function makeAdmission(
  table: FakeTable,
  { limits = {}, domain = 'example.com', trustedProxies = [], nodeHttp = NODE_HTTP, ...rest }: AdmissionOptions = {},
): Admission {
  return new Admission({
    table,
    log: quiet,
    nodeHttp,
    ...rest,
    settings: { domain, trustedProxies, limits: { ...LIMITS.parse(undefined), ...limits } },
  })
}

export async function listen(t: Test, server: NetServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** Resolves once so many requests are in the access log: each is written when it is over, which its visitor may know before. */
export async function logged(entries: readonly AccessEntry[], count: number): Promise<void> {
  await turnUntil(() => entries.length >= count, `${count} requests in the access log`)
}

/** Resolves once all who were admitted have left. */
export async function deserted({ door }: Admission): Promise<void> {
  await turnUntil(() => door.total === 0, 'nobody inside')
}

/** Looks at every turn, for what has no event; rejects if it has not come about for long. */
async function turnUntil(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 45_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise(setImmediate)
  }
}

/** Resolves once this count, after it has begun, stands still. That nothing more will come has no event. */
export async function stoodStill(count: () => number): Promise<void> {
  for (let before = 0; before === 0 || before !== count(); ) {
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

/** Sends bytes as they are and collects the answer until the edge closes. */
export async function talk(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  return (await collect(socket)).text
}

/** Everything until the end, and how it ended. */
export async function collect(socket: Socket): Promise<{ text: string; reset: boolean }> {
  let text = ''
  let reset = false
  socket.on('data', (bytes) => (text += bytes.toString('latin1')))
  socket.on('error', (error: NodeJS.ErrnoException) => (reset ||= error.code === 'ECONNRESET'))
  await new Promise((resolve) => socket.once('close', resolve))
  return { text, reset }
}

/** Resolves once the text that has come so far fits. The socket goes on flowing. */
export function until(socket: Socket, fits: (text: string) => boolean): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    const read = (bytes: Buffer): void => {
      text += bytes.toString('latin1')
      if (!fits(text)) return
      socket.off('data', read)
      resolve(text)
    }
    socket.on('data', read)
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)))
  })
}
