import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startTcpPorts } from '../../src/listen/tcp.ts'
import { collect, listen, makeAdmission, talk } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'
import { FakeTable, type FakeTunnel, fakeTunnel } from '../support/fake-table.ts'
import { freePort } from '../support/ports.ts'

async function world(
  t: Test,
  accepted: (socket: Socket) => void,
): Promise<{ port: number; table: FakeTable; tunnel: FakeTunnel; link: FakeLink }> {
  const service = createServer({ allowHalfOpen: true }, accepted)
  const link = new FakeLink(await listen(t, service))
  const port = await freePort()
  const table = new FakeTable()
  const tunnel = fakeTunnel({
    name: 'home-22',
    protocol: 'tcp',
    hosts: [],
    ports: [port, port],
    live: { link, service: 3 },
  })
  table.tunnels.push(tunnel)
  const tcp = startTcpPorts({ bind: '127.0.0.1', admission: makeAdmission(table) })
  t.teardown(() => tcp.close())
  await tcp.settled()
  return { port, table, tunnel, link }
}

t.test('bytes pass both ways, and half-close is kept', async (t) => {
  const { port, link, tunnel } = await world(t, (socket) => {
    let said = ''
    socket.on('data', (bytes) => (said += bytes.toString()))
    socket.on('end', () => socket.end(`you said ${said}`))
  })
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  visitor.end('hello')
  t.equal((await collect(visitor)).text, 'you said hello')
  t.match(link.openings, [
    { service: 3, portIndex: 0, protocol: 'tcp', visitor: { family: 4, address: '127.0.0.1' }, public: { port } },
  ])
  while (tunnel.traffic.open > 0) await new Promise(setImmediate)
  t.match(tunnel.traffic, { received: 5, sent: 14, total: 1 })
})

t.test('a service that refuses or breaks off is a reset for the visitor', async (t) => {
  const { port, link } = await world(t, (socket) => socket.resetAndDestroy())
  t.ok((await collect(connect(port, '127.0.0.1'))).reset)
  link.lead(1)
  t.ok((await collect(connect(port, '127.0.0.1'))).reset)
})

t.test('a connection is held while the agent is away, then goes on with what was sent, or is reset', async (t) => {
  const { port, table, tunnel, link } = await world(t, (socket) => socket.pipe(socket))
  const { live } = tunnel
  tunnel.live = undefined
  t.ok((await collect(connect(port, '127.0.0.1'))).reset, 'no hope: at once')
  table.holding.add(tunnel)
  const waits = (): Promise<void> => new Promise((resolve) => (table.waited = resolve))
  let waiting = waits()
  const visitor = connect({ port, host: '127.0.0.1' })
  visitor.end('early')
  await waiting
  t.equal(link.streams.length, 0)
  table.arrive(tunnel, live ?? { link, service: 3 })
  t.equal((await collect(visitor)).text, 'early')
  tunnel.live = undefined
  waiting = waits()
  const other = collect(connect(port, '127.0.0.1'))
  await waiting
  table.giveUp()
  t.ok((await other).reset)
})

t.test('ports come and go with the table, a range one to one', async (t) => {
  const { port, table, tunnel } = await world(t, (socket) => socket.end('x'))
  t.equal((await collect(connect(port, '127.0.0.1'))).text, 'x')
  table.changePorts(tunnel, false)
  const [error] = await once(connect(port, '127.0.0.1'), 'error')
  t.match(error, { code: 'ECONNREFUSED' })
})

t.test('more connections than an address may have are reset', async (t) => {
  const service = createServer(() => {})
  const link = new FakeLink(await listen(t, service))
  const port = await freePort()
  const table = new FakeTable()
  table.tunnels.push(
    fakeTunnel({ name: 'a', protocol: 'tcp', hosts: [], ports: [port, port], live: { link, service: 3 } }),
  )
  const admission = makeAdmission(table, { limits: { perAddress: { connections: 2, newPerSecond: 100, burst: 100 } } })
  const tcp = startTcpPorts({ bind: '127.0.0.1', admission })
  t.teardown(() => tcp.close())
  await tcp.settled()
  for (let count = 1; count <= 2; count++) {
    const opened = once(link, 'opened')
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await opened
  }
  t.ok((await collect(connect(port, '127.0.0.1'))).reset)
  t.equal(link.streams.length, 2)
  t.equal(admission.door.total, 2)
})

t.test('the port of an HTTP tunnel speaks HTTP for it, whatever the Host says', async (t) => {
  const service = createHttpServer((request, response) => response.end(`for ${request.headers.host}`))
  const link = new FakeLink(await listen(t, service))
  const port = await freePort()
  const table = new FakeTable()
  table.tunnels.push(fakeTunnel({ name: 'blog', ports: [port, port], live: { link, service: 3 } }))
  const tcp = startTcpPorts({ bind: '127.0.0.1', admission: makeAdmission(table) })
  t.teardown(() => tcp.close())
  await tcp.settled()
  for (const host of ['203.0.113.5', 'elsewhere.example.org']) {
    const answer = await talk(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    t.match(answer, new RegExp(`200 OK[^]*for ${host}`))
  }
  t.match(link.openings, [{ service: 3, portIndex: 0, protocol: 'http' }, {}])
})
