import t from 'tap'
import { CODES, codeOfWire } from '../../src/errors.ts'
import { Bench, dataFrame, openFrame } from '../support/bench.ts'
import { raw, u64 } from '../support/frames.ts'

t.test('E1 GOAWAY ends the session and resets its streams, at who says it', async (t) => {
  for (const side of ['edge', 'agent'] as const) {
    const bench = new Bench(side)
    const streams = side === 'edge' ? [bench.open(), bench.open()] : [bench.opened(1), bench.opened(2)]
    for (const stream of streams) stream.write(Buffer.alloc(100))
    bench.session.end('REVOKED', 'no longer welcome')
    bench.collect()
    t.match(
      bench.of('reset').map(({ code }) => code),
      ['STREAM_ABORTED', 'STREAM_ABORTED'],
      side,
    )
    t.match(bench.closed, { code: 'REVOKED', reason: 'no longer welcome', byPeer: false })
    t.equal(bench.events.at(-1)?.type, 'closed', 'closed comes last')
    t.match(bench.hear(), [{ type: 'goaway', code: 37, reason: 'no longer welcome' }])
    t.same(bench.hear(), [], 'once')
    t.ok(streams.every((stream) => stream.closed))
    t.ok(bench.session.ended)
  }
})

t.test('E1 GOAWAY ends the session and resets its streams, at who hears it', async (t) => {
  for (const side of ['edge', 'agent'] as const) {
    const bench = new Bench(side)
    const stream = side === 'edge' ? bench.open() : bench.opened(1)
    bench.hear()
    bench.say(1, { type: 'goaway', code: 36, reason: 'another' })
    t.match(bench.of('reset'), [{ stream, code: 'STREAM_ABORTED' }], side)
    t.match(bench.closed, { code: 'REPLACED', reason: 'another', byPeer: true })
    t.same(bench.hear(), [], 'it is not answered')
  }
})

t.test('E1 each carrier hears the GOAWAY once', async (t) => {
  const edge = new Bench('edge')
  edge.attach(2)
  edge.settle(1)
  edge.settle(2)
  edge.session.end('SESSION_CLOSED')
  for (const carrier of [1, 2]) t.same(edge.hear(carrier), [{ type: 'goaway', code: 38, reason: '' }])
})

t.test('E1 a stream without an id is reset, too', async (t) => {
  const edge = new Bench('edge')
  const stream = edge.session.open(Buffer.alloc(46))
  edge.session.end('SESSION_CLOSED')
  edge.collect()
  t.match(edge.of('reset'), [{ stream }])
})

t.test('E1 after the end nothing happens any more, whatever comes or is asked', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, { type: 'goaway', code: 38, reason: '' })
  const before = agent.events.length
  agent.say(1, openFrame(2), dataFrame(1, 0, 'x'), dataFrame(0, 0, 'xxxx'), { type: 'ack', received: 99 })
  agent.feed(1, Buffer.from([255, 255]))
  stream.write(Buffer.alloc(10))
  stream.end()
  stream.accept()
  stream.consumed(0)
  stream.reset('CANCELLED')
  agent.session.sendMessage(Buffer.from('{}'))
  agent.session.applyLost([[1, 0]], agent.now)
  agent.session.end('REVOKED')
  agent.session.tick(agent.now + 100_000)
  agent.collect()
  t.equal(agent.session.deadline(), Number.POSITIVE_INFINITY)
  t.equal(agent.events.length, before)
  t.same(agent.hear(), [])
  t.equal(agent.session.figures.streams, 0)
  t.equal(agent.session.figures.bufferedBytes, 0)
  t.equal(agent.session.figures.grantedBytes, 0)
})

t.test('E1 nothing behind a GOAWAY in the same bytes is obeyed', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.opened(1)
  agent.say(1, { type: 'goaway', code: 38, reason: '' }, dataFrame(1, 0, 'x'), openFrame(2), {
    type: 'lost',
    entries: [[2, 0]],
  })
  agent.say(1, { type: 'end', stream: 1, final: 0 })
  t.equal(agent.events.at(-1)?.type, 'closed')
})

t.test('E1 opening on a session that is over says so', async (t) => {
  const edge = new Bench('edge')
  edge.session.end('SESSION_CLOSED')
  t.notOk(edge.session.canOpen)
  t.throws(() => edge.session.open(Buffer.alloc(46)), { code: 'STREAM_ABORTED' })
})

t.test('E1 a reason as long as the frame allows, and no longer', async (t) => {
  const edge = new Bench('edge')
  edge.session.end('SESSION_CLOSED', 'because '.repeat(100))
  t.match(edge.hearOnly('goaway'), [{ reason: 'because '.repeat(32) }])
})

t.test('the numbers of RESET and GOAWAY are those of the table, and a stranger is taken by its range', async (t) => {
  for (const [code, row] of Object.entries(CODES)) if ('wire' in row) t.equal(codeOfWire(row.wire), code)
  for (const wire of [0, 31]) t.equal(codeOfWire(wire), 'CANCELLED')
  for (const wire of [60, 1000, 2 ** 32 - 1]) t.equal(codeOfWire(wire), 'SESSION_CLOSED')
})

const VIOLATIONS: [name: string, bytes: Buffer, code: string, wire: number][] = [
  ['an unknown type', Buffer.from([99]), 'FRAME_UNKNOWN', 35],
  ['a frame too large', raw(2, 1, Buffer.alloc(0), 9), 'FRAME_TOO_LARGE', 34],
  ['a wrong stream field', raw(5, 0, Buffer.alloc(4)), 'PROTOCOL_VIOLATION', 32],
  ['a number above 2^53 - 1', raw(7, 0, u64(2n ** 60n)), 'PROTOCOL_VIOLATION', 32],
]

for (const [name, bytes, code, wire] of VIOLATIONS) {
  t.test(`E2 ${name} is answered with GOAWAY and its code, and ends that session alone`, async (t) => {
    const neighbour = new Bench('agent')
    const kept = neighbour.opened(1)
    const agent = new Bench('agent')
    const stream = agent.opened(1)
    agent.hear()
    agent.feed(1, bytes)
    t.match(agent.closed, { code, byPeer: false })
    t.match(agent.of('reset'), [{ stream }])
    t.match(agent.hear(), [{ type: 'goaway', code: wire }])
    neighbour.say(1, dataFrame(1, 0, 'fine'))
    t.equal(neighbour.bytesOf(kept), 'fine')
    t.notOk(neighbour.closed)
  })
}

t.test('messages of stream 0 arrive whole and in order, however they are cut', async (t) => {
  const edge = new Bench('edge')
  const json = ['{"type":"leave","id":1}', '{"type":"drain"}', JSON.stringify({ type: 'x', text: 'y'.repeat(5000) })]
  const bytes = Buffer.concat(
    json.map((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(text.length)
      return Buffer.concat([length, Buffer.from(text)])
    }),
  )
  for (let at = 0; at < bytes.length; at += 7) edge.say(1, dataFrame(0, at, bytes.subarray(at, at + 7)))
  t.same(
    edge.of('message').map(({ bytes }) => Buffer.from(bytes).toString()),
    json,
  )
})

t.test('a message longer than 65,536 bytes, or empty, is MESSAGE_INVALID', async (t) => {
  for (const length of [0, 65_537, 2 ** 31, 2 ** 32 - 1]) {
    const edge = new Bench('edge')
    const head = Buffer.alloc(4)
    head.writeUInt32LE(length)
    edge.say(1, dataFrame(0, 0, head))
    t.match(edge.closed, { code: 'MESSAGE_INVALID' }, String(length))
  }
})
