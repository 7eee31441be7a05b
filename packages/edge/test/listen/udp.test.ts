import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import type { VisitorLimits } from '@engawa/edge/guard/limits'
import { LIMITS } from '@engawa/edge/limits'
import { startUdpPorts } from '@engawa/edge/listen/udp'
import { endpoint } from '@engawa/shared/wire/opening'
import t, { type Test } from 'tap'
import { FlowTable } from '../../src/forward/flow-table.ts'
import { UdpForward } from '../../src/forward/udp.ts'
import { makeAdmission } from '../support/edge.ts'
import { type FakeFlow, FakeLink } from '../support/fake-link.ts'
import { FakeTable, type FakeTunnel, fakeTunnel } from '../support/fake-table.ts'
import { freePort } from '../support/ports.ts'

async function bound(t: Test, address = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind({ address, port: 0 })
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket
}

interface World {
  readonly port: number
  readonly table: FakeTable
  readonly tunnel: FakeTunnel
  readonly link: FakeLink
  /** Sends, and resolves with the flow that it arrives by. */
  readonly say: (visitor: Socket, text: string, to?: { port?: number; address?: string }) => Promise<FakeFlow>
}

async function world(
  t: Test,
  {
    count = 1,
    addresses = ['127.0.0.1'],
    limits = {},
  }: { count?: number; addresses?: string[]; limits?: Partial<VisitorLimits> } = {},
): Promise<World> {
  const port = await freePort(count)
  const link = new FakeLink(1)
  const table = new FakeTable()
  const ports = [port, port + count - 1] as const
  const tunnel = fakeTunnel({ name: 'game', protocol: 'udp', hosts: [], ports, live: { link, service: 3 } })
  table.tunnels.push(tunnel)
  const admission = makeAdmission(table, { limits })
  const udp = startUdpPorts({ bind: '127.0.0.1', admission, addresses: () => addresses })
  t.teardown(() => udp.close())
  await udp.settled()
  const say: World['say'] = async (visitor, text, { port: at = port, address = '127.0.0.1' } = {}) => {
    const arrived = new Promise<FakeFlow>((resolve) => {
      const look = (flow: FakeFlow): void => {
        if (flow.opening.visitor.port === visitor.address().port) flow.once('datagram', () => resolve(flow))
      }
      for (const flow of link.flows) look(flow)
      link.once('flow', look)
    })
    visitor.send(text, at, address)
    return arrived
  }
  return { port, table, tunnel, link, say }
}

const heard = async (socket: Socket): Promise<string> => String((await once(socket, 'message'))[0])

t.test('each visitor has a flow of its own, and its answers alone', async (t) => {
  const { port, tunnel, link, say } = await world(t)
  const [ann, bob] = [await bound(t), await bound(t)]
  const [annFlow, bobFlow] = [await say(ann, 'ann 1'), await say(bob, 'bob 1')]
  t.equal(await say(ann, 'ann 2'), annFlow)
  t.same([annFlow.sent, bobFlow.sent], [['ann 1', 'ann 2'], ['bob 1']])
  t.match(link.openings.length, 0)
  t.match(annFlow.opening, {
    service: 3,
    portIndex: 0,
    protocol: 'udp',
    visitor: { family: 4, address: '127.0.0.1', port: ann.address().port },
    public: { family: 4, address: '127.0.0.1', port },
  })
  const answers = [heard(ann), heard(bob)]
  bobFlow.handler.datagram(Buffer.from('to bob'))
  annFlow.handler.datagram(Buffer.from('to ann'))
  t.same(await Promise.all(answers), ['to ann', 'to bob'])
  t.match(tunnel.traffic, { total: 2, open: 2, received: 15, sent: 12, dropped: 0 })
})

t.test('an answer leaves from the address that was asked', async (t) => {
  const { port, say } = await world(t, { addresses: ['127.0.0.1', '127.0.0.5'] })
  const visitor = await bound(t)
  for (const address of ['127.0.0.5', '127.0.0.1']) {
    const flow = await say(visitor, 'x', { address })
    const answer = once(visitor, 'message')
    flow.handler.datagram(Buffer.from('y'))
    t.match((await answer)[1], { address, port })
  }
})

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

t.test('a visitor over IPv6 is told as such', { skip: !hasIpv6 && 'no ::1 here' }, async (t) => {
  const { port, say } = await world(t, { addresses: ['127.0.0.1', '::1'] })
  const six = await bound(t, '::1')
  const flow = await say(six, 'x', { address: '::1' })
  t.match(flow.opening, { visitor: { family: 6, address: '::1' }, public: { family: 6, address: '::1', port } })
})

t.test('a range is one to one, and ports come and go with the table', async (t) => {
  const { port, table, tunnel, link, say } = await world(t, { count: 3 })
  const visitor = await bound(t)
  t.equal((await say(visitor, 'x', { port: port + 2 })).opening.portIndex, 2)
  table.changePorts(tunnel, false)
  t.ok(link.flows.every(({ closed }) => closed))
  t.equal(tunnel.traffic.open, 0)
  const other = await bound(t)
  other.connect(port, '127.0.0.1')
  await once(other, 'connect')
  const refused = once(other, 'error')
  other.send('x')
  t.match((await refused)[0], { code: 'ECONNREFUSED' })
})

t.test('the largest datagram passes, an empty one too', async (t) => {
  const { say } = await world(t)
  const visitor = await bound(t)
  const large = 'x'.repeat(65_507)
  const flow = await say(visitor, large)
  t.equal(flow.sent[0], large)
  await say(visitor, '')
  t.equal(flow.sent[1], '')
  const answer = heard(visitor)
  flow.handler.datagram(Buffer.from(large))
  t.equal(await answer, large)
})

t.test('without its agent, or without room, a datagram is dropped and counted', async (t) => {
  const { table, tunnel, link, say } = await world(t)
  const visitor = await bound(t)
  const flow = await say(visitor, 'x')
  flow.room = false
  const { live } = tunnel
  const counted = async (until: number): Promise<void> => {
    while (tunnel.traffic.dropped < until) await new Promise(setImmediate)
  }
  visitor.send('y', tunnel.ports?.[0] ?? 0, '127.0.0.1')
  await counted(1)
  tunnel.live = undefined
  flow.handler.ended()
  t.equal(tunnel.traffic.open, 0, 'its session is over')
  visitor.send('y', tunnel.ports?.[0] ?? 0, '127.0.0.1')
  await counted(2)
  table.arrive(tunnel, live ?? { link, service: 3 })
  const again = await say(visitor, 'z')
  t.not(again, flow)
  t.same(again.sent, ['z'])
})

t.test('an idle flow is closed', async (t) => {
  const { udp } = LIMITS.parse(undefined)
  const { tunnel, say } = await world(t, { limits: { udp: { ...udp, idleMs: 50 } } })
  const flow = await say(await bound(t), 'x')
  t.equal(tunnel.traffic.open, 1)
  await once(flow, 'closed')
  t.equal(tunnel.traffic.open, 0)
})

t.test('past the flows of an address the oldest unanswered one goes; who talks on stays', async (t) => {
  const { udp } = LIMITS.parse(undefined)
  const { tunnel, say } = await world(t, { limits: { udp: { ...udp, flowsPerAddress: 3 } } })
  const player = await bound(t)
  const flow = await say(player, 'hello')
  const answer = heard(player)
  flow.handler.datagram(Buffer.from('welcome'))
  await answer
  await say(player, 'thanks')
  const flood: FakeFlow[] = []
  for (let count = 0; count < 20; count++) flood.push(await say(await bound(t), 'flood'))
  t.notOk(flow.closed)
  t.equal(flood.filter(({ closed }) => closed).length, 18)
  t.equal(tunnel.traffic.open, 3)
})

t.test('who comes from port 0, where no answer can go, opens no flow', async (t) => {
  const link = new FakeLink(1)
  const table = new FakeTable()
  table.tunnels.push(
    fakeTunnel({ name: 'game', protocol: 'udp', hosts: [], ports: [9, 9], live: { link, service: 3 } }),
  )
  const forward = new UdpForward(makeAdmission(table, {}))
  t.teardown(() => forward.close())
  const socket = { local: endpoint('127.0.0.1', 9), flows: new FlowTable<never>(), send: () => {} }
  forward.received(socket, Buffer.from('x'), { address: '203.0.113.9', port: 0 })
  t.equal(link.flows.length, 0)
  forward.received(socket, Buffer.from('x'), { address: '203.0.113.9', port: 1 })
  t.equal(link.flows.length, 1)
})
