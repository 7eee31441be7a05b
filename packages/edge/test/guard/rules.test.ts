import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { AddressRules, parseRules } from '@engawa/edge/guard/rules'
import { startTcpPorts } from '@engawa/edge/listen/tcp'
import { startUdpPorts } from '@engawa/edge/listen/udp'
import t, { type Test } from 'tap'
import { collect, listen, makeAdmission, smallEdge, talk, until } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'
import { FakeTable, fakeTunnel } from '../support/fake-table.ts'
import { gate } from '../support/gate.ts'
import { freePort } from '../support/ports.ts'

const rules = (texts: { allow?: string[]; deny?: string[] }): AddressRules => new AddressRules(parseRules(texts))
const NOBODY = rules({ deny: ['0.0.0.0/0', '::/0'] })
const LOOPBACK = rules({ allow: ['127.0.0.0/8'] })
const ASK = 'GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n'

t.test('deny wins over allow, allow keeps all others out', async (t) => {
  const both = rules({ allow: ['192.0.2.0/24'], deny: ['192.0.2.128/25'] })
  t.ok(both.admits('192.0.2.1'))
  t.ok(both.admits('::ffff:192.0.2.1'))
  for (const address of ['192.0.2.200', '::ffff:192.0.2.200', '203.0.113.1', '2001:db8::1', ''])
    t.notOk(both.admits(address), address)
  const deny = rules({ deny: ['2001:db8::/32'] })
  t.ok(deny.admits('203.0.113.1'))
  t.notOk(deny.admits('2001:db8:1::1'))
})

async function tcpPort(
  t: Test,
): Promise<{ port: number; table: FakeTable; link: FakeLink; tunnel: ReturnType<typeof fakeTunnel> }> {
  const service = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  const link = new FakeLink(await listen(t, service))
  const port = await freePort()
  const table = new FakeTable()
  const tunnel = fakeTunnel({ name: 'a', protocol: 'tcp', hosts: [], ports: [port, port], live: { link, service: 3 } })
  table.tunnels.push(tunnel)
  const tcp = startTcpPorts({ bind: '127.0.0.1', admission: makeAdmission(table) })
  t.teardown(() => tcp.close())
  await tcp.settled()
  return { port, table, link, tunnel }
}

t.test('TCP: a denied visitor is reset, and the service hears nothing', async (t) => {
  const { port, table, link, tunnel } = await tcpPort(t)
  table.changeRules(tunnel, NOBODY)
  t.ok((await collect(connect(port, '127.0.0.1'))).reset)
  t.equal(link.streams.length, 0)
  table.changeRules(tunnel, LOOPBACK)
  const visitor = connect(port, '127.0.0.1')
  visitor.end('hello')
  t.equal((await collect(visitor)).text, 'hello')
})

t.test('TCP: an open stream goes with the rule that allowed it, others stay', async (t) => {
  const { port, table, link, tunnel } = await tcpPort(t)
  const one = connect({ port, host: '127.0.0.1' })
  const two = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
  for (const visitor of [one, two]) {
    visitor.write('x')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await until(visitor, (text) => text === 'x')
  }
  const cut = collect(one)
  table.changeRules(tunnel, rules({ deny: ['127.0.0.1'] }))
  t.ok((await cut).reset)
  t.match(link.streams[0]?.resetBy, 'CANCELLED')
  two.end('y')
  t.equal((await collect(two)).text, 'y')
})

t.test('TCP: who waits for the agent meets the rules it comes back with', async (t) => {
  const { port, table, link, tunnel } = await tcpPort(t)
  const { live } = tunnel
  tunnel.live = undefined
  table.holding.add(tunnel)
  const waiting = new Promise<void>((resolve) => (table.waited = resolve))
  const visitor = collect(connect(port, '127.0.0.1'))
  await waiting
  table.changeRules(tunnel, NOBODY)
  table.arrive(tunnel, live ?? { link, service: 3 })
  t.ok((await visitor).reset)
  t.equal(link.streams.length, 0)
})

t.test('UDP: a denied visitor hears nothing, also not from a flow that stood', async (t) => {
  const link = new FakeLink(1)
  const table = new FakeTable()
  const port = await freePort()
  const tunnel = fakeTunnel({ name: 'a', protocol: 'udp', hosts: [], ports: [port, port], live: { link, service: 3 } })
  table.tunnels.push(tunnel)
  const udp = startUdpPorts({ bind: '127.0.0.1', admission: makeAdmission(table) })
  t.teardown(() => udp.close())
  await udp.settled()
  const visitor = createSocket('udp4')
  t.teardown(() => visitor.close())
  const opened = once(link, 'flow')
  visitor.send('x', port, '127.0.0.1')
  await opened
  table.changeRules(tunnel, NOBODY)
  t.ok(link.flows[0]?.closed)
  visitor.send('y', port, '127.0.0.1')
  while (tunnel.traffic.dropped === 0) await new Promise(setImmediate)
  t.equal(link.flows.length, 1)
})

t.test('HTTP: a denied visitor gets a page that says so', async (t) => {
  const { port, table, tunnel, link } = await smallEdge(t, (_, response) => response.end('hello'))
  tunnel.rules = NOBODY
  t.match(await talk(port, `${ASK}\r\n`), /^HTTP\/1.1 403 .*Engawa-Error: BLOCKED/s)
  t.equal(link.streams.length, 0)
  table.changeRules(tunnel, LOOPBACK)
  t.match(await talk(port, `${ASK}\r\n`), /^HTTP\/1.1 200 .*hello/s)
})

t.test('HTTP: an answer that runs is cut, one that has not begun is refused', async (t) => {
  const { port, table, tunnel, link } = await smallEdge(t, (request, response) => {
    if (request.url === '/') response.write('first')
  })
  const running = connect(port, '127.0.0.1')
  running.write(`${ASK}\r\n`)
  await until(running, (text) => text.includes('first'))
  const opened = once(link, 'opened')
  const waiting = talk(port, `${ASK.replace('GET /', 'GET /later')}\r\n`)
  await opened
  const cut = collect(running)
  table.changeRules(tunnel, NOBODY)
  t.ok((await cut).reset)
  t.match(await waiting, /Engawa-Error: BLOCKED/)
})

t.test('HTTP: behind a trusted proxy the rules are for whom it speaks for', async (t) => {
  const { port, tunnel } = await smallEdge(t, (_, response) => response.end('hello'), { trustedProxies: ['127.0.0.1'] })
  tunnel.rules = rules({ allow: ['192.0.2.0/24'] })
  const from = (address: string): Promise<string> => talk(port, `${ASK}X-Forwarded-For: ${address}\r\n\r\n`)
  t.match(await from('192.0.2.7'), /200 OK/)
  t.match(await from('::ffff:192.0.2.7'), /200 OK/)
  t.match(await from('192.0.2.7, 203.0.113.1'), /403/)
  t.match(await talk(port, `${ASK}\r\n`), /403/, 'it says nothing: the proxy itself')
})

t.test('M3 rules ride on bind, outlive the edge, and change under a tunnel that stands', async (t) => {
  const folder = t.testdir({})
  const { agent, registry, ports, told } = gate(t, { folder })
  const changed: string[] = []
  registry.onRules(({ name }) => changed.push(name))
  const home = await agent('home').login()
  const bind = { name: 'ssh', protocol: 'tcp', port: [2222, 2222] } as const
  await home.bind({ ...bind, allow: ['::ffff:192.0.2.0/120'] })
  const tunnel = registry.byPort('tcp', 2222)
  t.ok(tunnel?.rules?.admits('192.0.2.1'))
  t.notOk(tunnel?.rules?.admits('203.0.113.1'))
  await home.bind({ ...bind, deny: ['192.0.2.1'] })
  t.notOk(tunnel?.rules?.admits('192.0.2.1'))
  t.ok(tunnel?.rules?.admits('203.0.113.1'))
  t.match(await home.bind({ ...bind, deny: ['everybody'] }), { type: 'refused', code: 'FLAG_INVALID' })
  t.notOk(tunnel?.rules?.admits('192.0.2.1'), 'a wrong change changes nothing')
  t.same([changed, ports, told], [['ssh'], ['+2222-2222'], ['online home', 'open ssh']])
  t.notOk(gate(t, { folder }).registry.byPort('tcp', 2222)?.rules?.admits('192.0.2.1'))
})
