import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { request as requestTls } from 'node:https'
import { connect, createServer as createNetServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { Admission } from '../../src/admit.ts'
import type { VisitorLimits } from '../../src/guard/limits.ts'
import { AddressRules, parseRules } from '../../src/guard/rules.ts'
import { openVisitorsCa } from '../../src/identity/visitors-ca.ts'
import { startTls } from '../../src/listen/tls.ts'
import { Certificates } from '../../src/tls/certificates.ts'
import { collect, deserted, listen, makeAdmission, until } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'
import { FakeTable, type FakeTunnel, fakeTunnel } from '../support/fake-table.ts'

interface TlsWorld {
  readonly port: number
  readonly ca: string
  readonly issued: string[][]
  readonly carriers: { socket: Socket; serverName: string }[]
  readonly table: FakeTable
  readonly tunnel: FakeTunnel
  readonly admission: Admission
  /** Cuts the service's answer to `/half`. */
  breakOff(): void
}

async function world(t: Test, limits: Partial<VisitorLimits> = {}): Promise<TlsWorld> {
  let breakOff: (() => void) | undefined
  const service = createServer((asked, response) => {
    if (asked.url === '/half') {
      response.write('half')
      breakOff = () => asked.socket.resetAndDestroy()
      return
    }
    if (asked.url?.startsWith('/turn/') === true) {
      asked.resume().once('end', () => response.end(`${asked.url}\n`))
      return
    }
    response.end(`${String(asked.headers['x-forwarded-proto'])} ${asked.headers.host}`)
  })
  const link = new FakeLink(await listen(t, service))
  const table = new FakeTable()
  const tunnel = fakeTunnel({ name: 'blog', live: { link, service: 7 } })
  table.tunnels.push(tunnel)
  const visitorsCa = openVisitorsCa(t.testdir(), { domain: 'example.com', addresses: ['127.0.0.1'] }, new Date())
  const issued: string[][] = []
  const issuer = {
    covers: (host: string) => visitorsCa.covers(host),
    issue: (hosts: readonly string[], now: Date) => {
      issued.push([...hosts])
      return visitorsCa.issue(hosts, now)
    },
  }
  const certificates = new Certificates({
    table,
    issuer,
    domain: 'example.com',
    bareHosts: ['127.0.0.1', 'elsewhere.example.org'],
  })
  const carriers: TlsWorld['carriers'] = []
  const admission = makeAdmission(table, { limits })
  admission.sharing = (serverName, host) => certificates.covers(serverName, host)
  const onCarrier = (socket: Socket, serverName: string): void => void carriers.push({ socket, serverName })
  const tls = await startTls({ address: { host: '127.0.0.1', port: 0 }, admission, certificates, onCarrier })
  t.teardown(async () => {
    for (const { socket } of carriers) socket.destroy()
    await tls.close(0)
  })
  return {
    port: tls.port,
    ca: visitorsCa.certificate,
    issued,
    carriers,
    table,
    tunnel,
    admission,
    breakOff: () => breakOff?.(),
  }
}

async function get(
  { port, ca }: TlsWorld,
  { host, servername, path = '/' }: { host: string; servername: string; path?: string },
): Promise<IncomingMessage & { body: string }> {
  const asked = requestTls({ port, host: '127.0.0.1', path, ca, servername, agent: false, headers: { host } })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return Object.assign(answer, { body: await text(answer) })
}

t.test('HTTPS by server name, with a certificate made once for a name that exists', async (t) => {
  const edge = await world(t)
  for (let count = 0; count < 2; count++) {
    t.match(await get(edge, { host: 'blog.example.com', servername: 'blog.example.com' }), {
      statusCode: 200,
      body: 'https blog.example.com',
    })
  }
  t.strictSame(edge.issued, [['example.com', '127.0.0.1'], ['blog.example.com']])
  t.match(await get(edge, { host: 'example.com', servername: 'example.com' }), { statusCode: 404 })
  edge.table.bareTunnel = edge.tunnel
  t.match(await get(edge, { host: '127.0.0.1:8443', servername: '' }), { statusCode: 200 }, 'no SNI: the bare address')
})

t.test('a request for a name that the certificate does not cover is misdirected', async (t) => {
  const edge = await world(t)
  edge.table.tunnels.push(fakeTunnel({ name: 'other' }))
  for (const [servername, host] of [
    ['blog.example.com', 'other.example.com'],
    ['blog.example.com', 'example.com'],
    ['', 'blog.example.com'],
  ] as const) {
    t.match(await get(edge, { host, servername }), { statusCode: 421, headers: { 'engawa-error': 'MISDIRECTED' } })
  }
})

t.test('an unknown server name gets the alert, and no certificate is made', async (t) => {
  const edge = await world(t)
  for (const servername of ['nobody.example.com', 'example.org', 'x.blog.example.com']) {
    const client = connectTls({ port: edge.port, host: '127.0.0.1', servername })
    const [error] = await once(client, 'error')
    t.match(error, { code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' }, servername)
  }
  t.equal(edge.issued.length, 1)
})

t.test('names that only a wildcard stands for share one certificate, and connections', async (t) => {
  const edge = await world(t)
  const hosts = ['lab.example.com', '*.lab.example.com', 'own.lab.example.com']
  const lab = fakeTunnel({ name: 'lab', hosts, live: edge.tunnel.live })
  edge.table.tunnels.push(lab)
  for (const name of ['x1', 'x2', 'x3']) {
    const host = `${name}.lab.example.com`
    t.match(await get(edge, { host, servername: host }), { statusCode: 200, body: `https ${host}` })
  }
  t.match(await get(edge, { host: 'x2.lab.example.com', servername: 'x1.lab.example.com' }), { statusCode: 200 })
  t.strictSame(edge.issued.slice(1), [['*.lab.example.com']])
  t.match(await get(edge, { host: 'x2.lab.example.com', servername: 'lab.example.com' }), { statusCode: 421 })
  t.match(await get(edge, { host: 'own.lab.example.com', servername: 'own.lab.example.com' }), { statusCode: 200 })
  t.strictSame(edge.issued.slice(2), [['lab.example.com'], ['own.lab.example.com']])
})

t.test('a carrier is handed on untouched, in whatever pieces its hello comes', async (t) => {
  const edge = await world(t)
  const recorder = connect(edge.port, '127.0.0.1')
  await once(recorder, 'connect')
  const client = connectTls({ socket: recorder, servername: 'g7.carrier.engawa.internal' })
  client.on('error', () => {})
  while (edge.carriers.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const [carrier] = edge.carriers
  t.equal(carrier?.serverName, 'g7.carrier.engawa.internal')
  const hello = carrier?.socket.read() as Buffer
  t.equal(hello[0], 22)
  t.equal(edge.admission.door.total, 0, 'no visitor')
  const pieces = connect(edge.port, '127.0.0.1')
  pieces.setNoDelay(true)
  for (const byte of hello.subarray(0, 20)) pieces.write(Buffer.of(byte))
  pieces.write(hello.subarray(20))
  while (edge.carriers.length === 1) await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(edge.carriers[1]?.socket.read(), hello)
  pieces.destroy()
  recorder.destroy()
})

t.test('the rest of the world: silence, nonsense, plain HTTP, old TLS', async (t) => {
  const edge = await world(t, { handshakeMs: 1000 })
  t.ok((await collect(connect(edge.port, '127.0.0.1'))).reset, 'silence is reset')
  const nonsense = connect(edge.port, '127.0.0.1')
  nonsense.write('\x00nonsense')
  t.equal((await collect(nonsense)).text, '\x15\x03\x03\x00\x02\x02\x32')
  const plain = request({ port: edge.port, host: '127.0.0.1', agent: false })
  plain.end()
  const [answer] = (await once(plain, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 400)
  answer.resume()
  const old = connectTls({
    port: edge.port,
    host: '127.0.0.1',
    servername: 'blog.example.com',
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  })
  const [error] = await once(old, 'error')
  t.match(error, { code: /PROTOCOL_VERSION|NO_PROTOCOLS/ })
})

/** What a visitor of that name says first. */
async function helloOf(t: Test, servername: string): Promise<Buffer> {
  const server = createNetServer((socket) => void socket.on('error', () => {}))
  const port = await listen(t, server)
  const visitor = connectTls({ port, host: '127.0.0.1', servername })
  visitor.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  visitor.destroy()
  return hello
}

t.test('who ends inside the handshake is let go at once', async (t) => {
  const edge = await world(t, { handshakeMs: 60_000 })
  const hello = await helloOf(t, 'blog.example.com')
  for (const bytes of [0, 1, 5, hello.length >> 1, hello.length - 1, hello.length]) {
    const visitor = connect({ port: edge.port, host: '127.0.0.1' })
    visitor.end(hello.subarray(0, bytes))
    const from = performance.now()
    await collect(visitor)
    t.ok(performance.now() - from < 30_000, `after ${bytes} of ${hello.length} bytes`)
  }
  await deserted(edge.admission)
  t.match(await get(edge, { host: 'blog.example.com', servername: 'blog.example.com' }), { statusCode: 200 })
})

t.test('who ends right behind its request is answered', async (t) => {
  const edge = await world(t)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const settings = { ca: edge.ca, servername: 'blog.example.com', maxVersion, allowHalfOpen: true }
    const visitor = connectTls({
      socket: connect({ port: edge.port, host: '127.0.0.1', allowHalfOpen: true }),
      ...settings,
    })
    // Sent with the last message of the handshake.
    visitor.end('GET / HTTP/1.1\r\nhost: blog.example.com\r\n\r\n')
    t.match((await collect(visitor)).text, /^HTTP\/1\.1 200 /, maxVersion)
  }
})

t.test('too many silent sockets: the oldest of the fullest address goes, the newcomer stays', async (t) => {
  const edge = await world(t, { unpeekedSockets: 3 })
  const crowd: Socket[] = []
  for (let count = 0; count < 3; count++) {
    const socket = connect({ port: edge.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    await once(socket, 'connect')
    crowd.push(socket)
  }
  const [first] = crowd
  const evicted = first === undefined ? undefined : collect(first)
  t.match(await get(edge, { host: 'blog.example.com', servername: 'blog.example.com' }), { statusCode: 200 })
  t.ok((await evicted)?.reset)
  for (const socket of crowd) socket.destroy()
})

t.test('what is sent ahead is read in turn, into however many records it was cut', async (t) => {
  const edge = await world(t)
  const host = 'Host: blog.example.com\r\n'
  const turn = (index: number): string => `GET /turn/${index} HTTP/1.1\r\n${host}\r\n`
  const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`
  const between = {
    nothing: '',
    'a counted body': `POST /turn/counted HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n${'x'.repeat(5000)}`,
    'a body that Node reads': `POST /turn/chunked HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`,
  }
  for (const [what, bytes] of Object.entries(between)) {
    const socket = connectTls({ port: edge.port, host: '127.0.0.1', ca: edge.ca, servername: 'blog.example.com' })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    socket.setMaxSendFragment(512)
    const turns = Array.from({ length: 40 }, (_, index) => turn(index)).join('')
    const last = `GET /turn/last HTTP/1.1\r\n${host}Connection: close\r\n\r\n`
    const all = turns + bytes + turns + last
    socket.write(all)
    const asked = all.match(/\/turn\/\w+/g)
    t.same((await text(socket)).match(/\/turn\/\w+/g), asked, what)
  }
})

t.test('an answer that breaks off ends without close_notify', async (t) => {
  const edge = await world(t)
  const client: TLSSocket = connectTls({
    port: edge.port,
    host: '127.0.0.1',
    servername: 'blog.example.com',
    ca: edge.ca,
  })
  client.write('GET /half HTTP/1.1\r\nHost: blog.example.com\r\n\r\n')
  await until(client, (got) => got.includes('half'))
  edge.breakOff()
  t.ok((await collect(client)).reset)
})

t.test('TLS of a passed-through name goes to its service unopened', async (t) => {
  const edge = await world(t)
  const other = openVisitorsCa(t.testdir(), { domain: 'own.test', addresses: [] }, new Date())
  const service = createTlsServer(other.issue(['nas.own.test'], new Date()), (socket) => {
    socket.on('error', () => {})
    socket.end(`behind ${String(socket.servername)}`)
  })
  service.on('tlsClientError', () => {})
  const link = new FakeLink(await listen(t, service))
  const tunnel = fakeTunnel({ name: 'nas', protocol: 'tls', hosts: ['nas.own.test'], live: { link, service: 9 } })
  edge.table.tunnels.push(tunnel)

  const visit = (servername: string): TLSSocket =>
    connectTls({ port: edge.port, host: '127.0.0.1', servername, ca: other.certificate })
  t.match(await collect(visit('nas.own.test')), { text: 'behind nas.own.test', reset: false })
  t.match(await collect(visit('NAS.own.test')), { text: 'behind NAS.own.test', reset: false })
  t.match(link.openings, [{ service: 9, portIndex: 0, protocol: 'tls', visitor: { address: '127.0.0.1' } }, {}])
  while (tunnel.traffic.open > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(tunnel.traffic.total, 2)
  t.equal(edge.issued.length, 1, 'the edge has made no certificate for it')

  const misdirected = await get(edge, { host: 'nas.own.test', servername: 'blog.example.com' })
  t.match(misdirected, { statusCode: 421 })
  tunnel.rules = new AddressRules(parseRules({ deny: ['127.0.0.0/8'] }))
  t.match(await collect(visit('nas.own.test')), { text: '', reset: true }, 'a denied address is reset before any TLS')
  tunnel.rules = undefined
  tunnel.live = undefined
  t.match(await collect(visit('nas.own.test')), { text: '', reset: true }, 'so is one whose agent is away for good')
  t.equal(link.streams.length, 2)
})
