import t from 'tap'
import { Bench } from '../support/bench.ts'
import type { Frame } from '../support/frames.ts'

const OPENING = Buffer.alloc(46, 9)

function datagram(flow: number, flags: number, text: string, opening?: Uint8Array): Frame {
  const head = opening === undefined ? [] : [Buffer.from([opening.length, 0]), opening]
  return { type: 'datagram', flow, flags, body: Buffer.concat([...head, Buffer.from(text)]) }
}

function texts(bench: Bench): string[] {
  return bench.of('datagram').map(({ bytes }) => Buffer.from(bytes).toString())
}

t.test('U1 until the edge has received a DATAGRAM of a flow, each that it sends carries the opening', async (t) => {
  const edge = new Bench('edge')
  const flow = edge.session.openFlow(OPENING)
  for (const text of ['a', 'b']) edge.session.sendDatagram(flow, Buffer.from(text))
  t.same(edge.hearOnly('datagram'), [datagram(flow, 1, 'a', OPENING), datagram(flow, 1, 'b', OPENING)])
  edge.say(1, datagram(flow, 0, 'answer'))
  t.same(texts(edge), ['answer'])
  edge.session.sendDatagram(flow, Buffer.from('c'))
  t.same(edge.hearOnly('datagram'), [datagram(flow, 0, 'c')])
})

t.test('U1 flag 2 accepts the flow without bytes, and is no datagram for the visitor', async (t) => {
  const edge = new Bench('edge')
  const flow = edge.session.openFlow(OPENING)
  edge.say(1, datagram(flow, 2, ''))
  t.same(texts(edge), [])
  edge.session.sendDatagram(flow, Buffer.from('c'))
  t.same(edge.hearOnly('datagram'), [datagram(flow, 0, 'c')])
})

t.test('U1 the agent says that it has accepted, and hands the opening over with the first datagram', async (t) => {
  const agent = new Bench('agent')
  agent.say(1, datagram(7, 1, 'hello', OPENING))
  t.match(agent.of('datagram'), [{ flow: 7, opening: OPENING, bytes: Buffer.from('hello') }])
  t.same(agent.hearOnly('datagram'), [datagram(7, 2, '')])
  agent.say(1, datagram(7, 0, 'again'))
  t.same(texts(agent), ['hello', 'again'])
  agent.session.sendDatagram(7, Buffer.from('answer'))
  t.same(agent.hearOnly('datagram'), [datagram(7, 0, 'answer')])
})

t.test('U1 an empty datagram is a datagram', async (t) => {
  const agent = new Bench('agent')
  agent.say(1, datagram(7, 1, '', OPENING), datagram(7, 0, ''))
  t.same(texts(agent), ['', ''])
})

t.test('U1 flag 4 closes the flow at the agent', async (t) => {
  const agent = new Bench('agent')
  agent.say(1, datagram(7, 1, 'x', OPENING), datagram(7, 4, ''))
  t.match(agent.of('flowClosed'), [{ flow: 7 }])
  t.notOk(agent.session.sendDatagram(7, Buffer.from('late')))
})

t.test('U2 a DATAGRAM of an unknown flow without opening is answered with flag 4', async (t) => {
  const agent = new Bench('agent')
  agent.say(1, datagram(7, 0, 'x'))
  t.same(agent.of('datagram'), [])
  t.same(agent.hearOnly('datagram'), [datagram(7, 4, '')])
  t.notOk(agent.closed)
})

t.test('U2 on flag 4 the edge sends openings again', async (t) => {
  const edge = new Bench('edge')
  const flow = edge.session.openFlow(OPENING)
  edge.say(1, datagram(flow, 2, ''), datagram(flow, 4, ''))
  edge.session.sendDatagram(flow, Buffer.from('c'))
  t.same(edge.hearOnly('datagram'), [datagram(flow, 1, 'c', OPENING)])
  t.same(texts(edge), [])
})

t.test('U3 datagrams go before what streams have to send', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.opened(1, 1, 100_000).write(Buffer.alloc(50_000))
  agent.say(1, datagram(7, 1, 'x', OPENING))
  agent.session.sendDatagram(7, Buffer.from('fast'))
  const types = agent.hear().map(({ type }) => type)
  t.ok(types.lastIndexOf('datagram') < types.indexOf('data'), types.join(' '))
})

t.test('U3 datagrams ride on when the cap holds streams back', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.opened(1, 1, 100_000).write(Buffer.alloc(50_000))
  agent.hear()
  agent.say(1, datagram(7, 1, 'x', OPENING))
  agent.session.sendDatagram(7, Buffer.from('fast'))
  t.equal(agent.hearOnly('datagram').length, 2)
})

t.test('U3 what has no room is dropped and counted, and never sent again', async (t) => {
  const edge = new Bench('edge')
  const flow = edge.session.openFlow(OPENING)
  let kept = 0
  for (let count = 0; count < 1000; count++) if (edge.session.sendDatagram(flow, Buffer.alloc(1400))) kept++
  t.ok(kept < 1000 && kept > 50, `${kept} kept`)
  t.equal(edge.session.figures.datagramsDropped, 1000 - kept)
  t.equal(edge.hearOnly('datagram').length, kept)
  edge.session.carrierClosed(1, edge.now)
  edge.session.applyLost([[1, 0]], edge.now)
  edge.attach(2)
  t.same(edge.hearOnly('datagram', 2), [])
})

t.test('U3 without a carrier datagrams are dropped, not queued', async (t) => {
  const edge = new Bench('edge')
  const flow = edge.session.openFlow(OPENING)
  edge.session.carrierClosed(1, edge.now)
  t.notOk(edge.session.sendDatagram(flow, Buffer.from('x')))
  t.equal(edge.session.figures.datagramsDropped, 1)
})

t.test('U3 a flow stays on its carrier and moves when that is lost', async (t) => {
  const edge = new Bench('edge')
  edge.settle(1)
  const flow = edge.session.openFlow(OPENING)
  edge.session.sendDatagram(flow, Buffer.from('a'))
  edge.attach(2)
  edge.settle(2)
  edge.session.sendDatagram(flow, Buffer.from('b'))
  t.equal(edge.hearOnly('datagram', 2).length, 0)
  t.equal(edge.hearOnly('datagram', 1).length, 2)
  edge.session.carrierClosed(1, edge.now)
  edge.session.sendDatagram(flow, Buffer.from('c'))
  t.equal(edge.hearOnly('datagram', 2).length, 1)
})
