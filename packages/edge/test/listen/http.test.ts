import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { startHttp } from '../../src/listen/http.ts'
import { collect, deserted, listen, makeAdmission, smallEdge, talk, until } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'
import { FakeTable, fakeTunnel } from '../support/fake-table.ts'

const ASK = 'GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n'

t.test(
  'a hundred clients that never finish their head hold nobody else up, and are gone after their time',
  async (t) => {
    const { port, admission } = await smallEdge(t, (_request, response) => response.end('ok'), {
      limits: { requestHeadMs: 1000 },
    })
    const slow = Array.from({ length: 100 }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.write('GET / HTTP/1.1\r\nHost: blog')
      return collect(socket)
    })
    t.match(await talk(port, ASK.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')), /200 OK/)
    for (const { text } of await Promise.all(slow)) t.match(text, /^HTTP\/1.1 408/)
    await deserted(admission)
  },
)

t.test('a kept connection without a request ends after its idle time, and lets the service go', async (t) => {
  const { port, link } = await smallEdge(t, (_request, response) => response.end('ok'), {
    limits: { keepAliveIdleMs: 100 },
  })
  const visitor = connect(port, '127.0.0.1')
  visitor.write(ASK)
  t.match((await collect(visitor)).text, /200 OK/)
  const [stream] = link.streams
  if (stream?.socket.closed === false) await new Promise((resolve) => stream.socket.once('close', resolve))
  t.equal(stream?.resetBy, undefined, 'in order, not by a reset')
})

t.test('more connections than an address may have are told so', async (t) => {
  const { port, admission } = await smallEdge(t, (_request, response) => response.end('ok'), {
    limits: { perAddress: { connections: 2, newPerSecond: 100, burst: 100 } },
  })
  const inside = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  for (const socket of inside) {
    socket.write(ASK)
    await until(socket, (got) => got.includes('ok'))
  }
  t.match((await collect(connect(port, '127.0.0.1'))).text, /^HTTP\/1.1 429 [^]*Retry-After[^]*TOO_MANY/)
  t.equal(admission.door.total, 2)
  for (const socket of inside) socket.destroy()
})

t.test('requests that Node reads ahead beyond all measure cut the connection', async (t) => {
  const { port } = await smallEdge(t, () => {}, { nodeHttp: true })
  const visitor = connect(port, '127.0.0.1')
  visitor.write(ASK.repeat(200))
  t.ok((await collect(visitor)).reset)
})

t.test('closing lets what runs finish, and ends its connection', async (t) => {
  let finish: (() => void) | undefined
  const inside = new Promise<void>((resolve) => {
    finish = resolve
  })
  let answer: (() => void) | undefined
  const service = createServer((_request, response) => {
    answer = () => response.end('finished')
    finish?.()
  })
  const link = new FakeLink(await listen(t, service))
  const table = new FakeTable()
  table.tunnels.push(fakeTunnel({ name: 'blog', live: { link, service: 7 } }))
  const http = await startHttp({ address: { host: '127.0.0.1', port: 0 }, admission: makeAdmission(table) })
  const visitor = connect(http.port, '127.0.0.1')
  visitor.write(ASK)
  const all = collect(visitor)
  await inside
  const closed = http.close(60_000)
  t.match(await once(connect(http.port, '127.0.0.1'), 'error'), [{ code: 'ECONNREFUSED' }])
  answer?.()
  t.match((await all).text, /200 OK[^]*finished/)
  await closed
  const stuck = await startHttp({ address: { host: '127.0.0.1', port: 0 }, admission: makeAdmission(table) })
  const other: Socket = connect(stuck.port, '127.0.0.1')
  other.write(ASK)
  const cut = collect(other)
  await once(service, 'request')
  await stuck.close(0)
  t.ok((await cut).reset)
})

t.test("where Node's parser reads, a CONNECT behind an unanswered request does not get into its answer", async (t) => {
  const { port } = await smallEdge(t, (_request, response) => {
    response.writeHead(200, { 'Content-Length': 10 })
    response.write('first')
  })
  const visitor = connect(port, '127.0.0.1')
  const all = collect(visitor)
  // A chunked body is left to Node's parser, which reads ahead.
  visitor.write('POST / HTTP/1.1\r\nHost: blog.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
  await until(visitor, (got) => got.includes('first'))
  visitor.write('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n')
  const { text, reset } = await all
  t.ok(reset)
  t.match(text, /\r\n\r\nfirst$/)
})
