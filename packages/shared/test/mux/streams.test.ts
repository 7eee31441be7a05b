import t from 'tap'
import { Bench, dataFrame, openFrame } from '../support/bench.ts'
import type { Frame } from '../support/frames.ts'

/** The frames of one stream, without what keeps a carrier alive. */
function ofStream(frames: readonly Frame[], id: number): string[] {
  return frames.flatMap((frame) => ('stream' in frame && frame.stream === id ? [frame.type] : []))
}

t.test('S1 an OPEN for a seen id opens nothing, live or over', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, openFrame(1))
  t.equal(agent.of('opened').length, 1, 'while it lives')
  agent.say(1, { type: 'reset', stream: 1, code: 1 }, openFrame(1), openFrame(1))
  t.equal(agent.of('opened').length, 1, 'and after its reset')
  t.ok(stream.closed)
  t.notOk(agent.closed)
})

t.test('S1 bytes below the received offset are skipped, whatever the overlap', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, dataFrame(1, 0, 'abcdef'), dataFrame(1, 0, 'abc'), dataFrame(1, 3, 'def'), dataFrame(1, 2, 'cdefgh'))
  agent.say(1, dataFrame(1, 0, 'abcdefghi'), dataFrame(1, 9, 'j'))
  t.equal(agent.bytesOf(stream), 'abcdefghij')
  t.equal(stream.received, 10)
  t.notOk(agent.closed)
})

t.test('S1 an END with the known final offset and DATA below it change nothing', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, dataFrame(1, 0, 'abc'), { type: 'end', stream: 1, final: 3 }, { type: 'end', stream: 1, final: 3 })
  agent.say(1, dataFrame(1, 1, 'bc'), { type: 'end', stream: 1, final: 3 })
  t.equal(agent.bytesOf(stream), 'abc')
  t.equal(agent.of('ended').length, 1)
  t.notOk(agent.closed)
})

t.test('S1 an ACCEPT again changes nothing', async (t) => {
  const edge = new Bench('edge')
  edge.open()
  edge.say(1, { type: 'accept', stream: 1 }, { type: 'accept', stream: 1 })
  t.equal(edge.of('accepted').length, 1)
  t.notOk(edge.closed)
})

t.test('S1 a CREDIT not above the known limit changes nothing', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 10)
  agent.say(1, { type: 'credit', stream: 1, limit: 4 }, { type: 'credit', stream: 1, limit: 0 })
  stream.write(Buffer.alloc(100))
  const sent = agent.hearOnly('data').reduce((sum, frame) => sum + frame.bytes.length, 0)
  t.equal(sent, 10)
})

const S2: [name: string, frames: Frame[]][] = [
  ['DATA past the received offset', [dataFrame(1, 0, 'ab'), dataFrame(1, 3, 'd')]],
  ['DATA past the final offset', [dataFrame(1, 0, 'ab'), { type: 'end', stream: 1, final: 3 }, dataFrame(1, 2, 'cd')]],
  ['an END below the received offset', [dataFrame(1, 0, 'ab'), { type: 'end', stream: 1, final: 1 }]],
  [
    'a second END further on',
    [
      { type: 'end', stream: 1, final: 3 },
      { type: 'end', stream: 1, final: 4 },
    ],
  ],
  [
    'a second END further back',
    [
      { type: 'end', stream: 1, final: 3 },
      { type: 'end', stream: 1, final: 0 },
    ],
  ],
  ['DATA after the end', [{ type: 'end', stream: 1, final: 0 }, dataFrame(1, 0, 'a')]],
]

for (const [name, frames] of S2) {
  t.test(`S2 ${name} is a violation`, async (t) => {
    const agent = new Bench('agent')
    agent.opened(1)
    agent.say(1, ...frames)
    t.match(agent.closed, { code: 'PROTOCOL_VIOLATION', byPeer: false })
  })
}

t.test('S3 a frame for a seen id that is not live is counted and dropped', async (t) => {
  const agent = new Bench('agent')
  agent.opened(1)
  agent.say(1, { type: 'reset', stream: 1, code: 1 })
  const before = agent.session.figures.framesDropped
  agent.say(1, dataFrame(1, 7, 'x'), { type: 'end', stream: 1, final: 0 }, { type: 'reset', stream: 1, code: 2 })
  agent.say(1, { type: 'credit', stream: 1, limit: 9 })
  t.notOk(agent.closed)
  t.equal(agent.session.figures.framesDropped - before, 4)
  t.equal(agent.of('reset').length, 1)
})

t.test('S3 ids may come in any order, each opens once, and a gap stays unseen', async (t) => {
  const agent = new Bench('agent')
  for (const id of [3, 1, 4000, 2, 4]) agent.opened(id)
  t.equal(agent.of('opened').length, 5)
  agent.say(1, openFrame(4000), openFrame(3), openFrame(1))
  t.equal(agent.of('opened').length, 5)
  agent.say(1, dataFrame(5, 0, 'x'))
  t.match(agent.closed, { code: 'PROTOCOL_VIOLATION' })
})

const ACCEPTER_FRAMES: Frame[] = [
  dataFrame(9, 0, 'x'),
  { type: 'end', stream: 9, final: 0 },
  { type: 'reset', stream: 9, code: 1 },
  { type: 'credit', stream: 9, limit: 1 },
]

for (const frame of [...ACCEPTER_FRAMES, { type: 'accept', stream: 9 } as Frame]) {
  t.test(`S3 ${frame.type} for an unseen id is a violation, at both ends`, async (t) => {
    for (const side of ['edge', 'agent'] as const) {
      const bench = new Bench(side)
      bench.say(1, frame)
      t.match(bench.closed, { code: 'PROTOCOL_VIOLATION' }, side)
    }
  })
}

t.test('S4 the opener keeps 4,096 ids in the air, then new streams wait', async (t) => {
  const edge = new Bench('edge', { maxStreams: 5000 })
  for (let count = 0; count < 5000; count++) edge.session.open(Buffer.alloc(46))
  const ids = (): number[] => edge.hearOnly('open').map((frame) => frame.stream)
  t.equal(ids().at(-1), 4096)
  edge.say(1, { type: 'ack', received: 61 })
  t.same(ids(), [], 'all but one byte of the first OPEN')
  edge.say(1, { type: 'ack', received: 62 + 61 })
  t.same(ids(), [4097], 'the first OPEN')
  edge.ack()
  t.same(
    ids(),
    Array.from({ length: 903 }, (_, index) => 4098 + index),
    'the others, each once and in order',
  )
})

t.test('S4 an OPEN further ahead is a violation', async (t) => {
  const near = new Bench('agent', { maxStreams: 5000 })
  near.say(1, openFrame(4096))
  t.notOk(near.closed)
  near.say(1, openFrame(1), openFrame(4097))
  t.notOk(near.closed)
  near.say(1, openFrame(4098))
  t.match(near.closed, { code: 'PROTOCOL_VIOLATION' })
})

t.test('S5 a lost OPEN goes again, with RESET behind it if its stream has ended meanwhile', async (t) => {
  const edge = new Bench('edge')
  const kept = edge.open()
  const dropped = edge.open()
  edge.session.carrierClosed(1, edge.now)
  dropped.reset('CANCELLED')
  edge.session.applyLost([[1, 0]], edge.now)
  edge.attach(2)
  const frames = edge.hear(2)
  t.same(ofStream(frames, kept.id), ['open'])
  t.same(ofStream(frames, dropped.id), ['open', 'reset'])
})

t.test('S5 a stream whose OPEN never went out before its carrier was lost opens on the next', async (t) => {
  const edge = new Bench('edge')
  edge.hear()
  const stream = edge.session.open(Buffer.alloc(46))
  edge.session.carrierClosed(1, edge.now)
  edge.session.applyLost([[1, 0]], edge.now)
  edge.attach(2)
  t.equal(edge.hearOnly('open', 2).length, 1)
  t.equal(stream.id, 1)
})

t.test('S6 END closes one direction, the other stays open', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, { type: 'end', stream: 1, final: 0 })
  stream.write(Buffer.from('still here'))
  t.equal(agent.hearOnly('data').length, 1)
  stream.end()
  t.same(ofStream(agent.hear(), 1), ['end'])
  t.ok(stream.closed)
})

t.test('S6 END goes out behind the last byte, however long credit keeps that back', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 10)
  stream.write(Buffer.alloc(100))
  stream.end()
  t.same(ofStream(agent.hear(), 1), ['data'])
  agent.say(1, { type: 'credit', stream: 1, limit: 99 })
  t.same(ofStream(agent.hear(), 1), ['data'])
  agent.say(1, { type: 'credit', stream: 1, limit: 100 })
  t.same(ofStream(agent.hear(), 1), ['data', 'end'])
})

t.test('S6 an END that overtook nothing waits for the last byte', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, { type: 'end', stream: 1, final: 3 })
  t.equal(agent.of('ended').length, 0)
  agent.say(1, dataFrame(1, 0, 'abc'))
  t.equal(agent.bytesOf(stream), 'abc')
  t.equal(agent.of('ended').length, 1)
})

t.test('S6 RESET closes both directions and drops what was not yet sent', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 4)
  stream.write(Buffer.alloc(1000))
  agent.hear()
  agent.say(1, { type: 'reset', stream: 1, code: 3 }, { type: 'credit', stream: 1, limit: 5000 }, dataFrame(1, 0, 'x'))
  t.match(agent.of('reset'), [{ code: 'SERVICE_UNREACHABLE' }])
  t.same(ofStream(agent.hear(), 1), [])
  t.equal(agent.of('data').length, 0)
  t.equal(agent.session.figures.streams, 0)
})

t.test('S6 our RESET says so once, and nothing of the stream is told to us any more', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(100))
  stream.reset('SERVICE_BROKE')
  stream.reset('CANCELLED')
  t.same(
    agent.hear().filter((frame) => 'stream' in frame),
    [{ type: 'reset', stream: 1, code: 5 }],
  )
  agent.say(1, dataFrame(1, 0, 'late'), { type: 'end', stream: 1, final: 4 }, { type: 'reset', stream: 1, code: 1 })
  t.same(
    agent.events.filter(({ type }) => type === 'data' || type === 'ended' || type === 'reset'),
    [],
  )
  t.notOk(agent.closed)
})

t.test('S7 the accepter begins on the carrier that the OPEN came on', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  for (const [id, carrier] of [
    [1, 2],
    [2, 1],
    [3, 2],
  ] as const) {
    const stream = agent.opened(id, carrier)
    stream.accept()
    stream.write(Buffer.from('answer'))
    stream.end()
    t.same(ofStream(agent.hear(3 - carrier), id), [], `nothing of ${id} on the other`)
    t.same(ofStream(agent.hear(carrier), id), ['accept', 'data', 'end'])
  }
})

t.test('S7 a stream stays on its carrier while anything of it is unacknowledged there', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  const stream = agent.opened(1, 1)
  stream.write(Buffer.from('one'))
  t.same(ofStream(agent.hear(1), 1), ['data'])
  // The first carrier falls silent, the second is lively: still nothing may overtake.
  for (let turn = 0; turn < 6; turn++) {
    agent.pass(400)
    stream.write(Buffer.from('more'))
    t.same(ofStream(agent.hear(2), 1), [])
  }
})

t.test('S7 what was unacknowledged goes elsewhere after the count of the peer, and not before', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  const stream = agent.opened(1, 1)
  stream.write(Buffer.from('0123456789'))
  agent.hear(1)
  agent.session.carrierClosed(1, agent.now)
  stream.write(Buffer.from('abc'))
  t.same(ofStream(agent.hear(2), 1), [], 'nobody knows yet how much arrived')
  agent.say(2, { type: 'lost', entries: [[1, 16 + 4]] })
  t.same(
    agent.hearOnly('data', 2).map(({ offset, bytes }) => [offset, bytes.toString()]),
    [[4, '456789abc']],
  )
})

t.test('S7 a stream of which everything had arrived goes on elsewhere, too', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1)
  stream.write(Buffer.from('0123456789'))
  agent.hear(1)
  agent.session.carrierClosed(1, agent.now)
  stream.write(Buffer.from('abc'))
  agent.session.applyLost([[1, agent.sent(1)]], agent.now)
  agent.attach(2)
  t.match(agent.hearOnly('data', 2), [{ offset: 10, bytes: Buffer.from('abc') }])
})

t.test(
  'S8 the opener says no CREDIT of a stream that it has not heard of, so that none can overtake the OPEN',
  async (t) => {
    const edge = new Bench('edge')
    edge.attach(2)
    edge.settle(1)
    edge.settle(2)
    const stream = edge.session.open(Buffer.alloc(46))
    const opened = [1, 2].filter((carrier) => edge.hearOnly('open', carrier).length > 0)
    t.equal(opened.length, 1)
    const other = opened[0] === 1 ? 2 : 1
    t.same(edge.hearOnly('credit', other), [])
    // Heard on the other carrier: from now on CREDIT may ride any.
    edge.say(other, dataFrame(1, 0, Buffer.alloc(16_384)))
    stream.consumed(16_384)
    t.equal([...edge.hearOnly('credit', 1), ...edge.hearOnly('credit', 2)].length, 1)
  },
)

t.test('S9 an OPEN received by the edge is a violation', async (t) => {
  const edge = new Bench('edge')
  edge.say(1, openFrame(1))
  t.match(edge.closed, { code: 'PROTOCOL_VIOLATION' })
  t.equal(edge.of('opened').length, 0)
})
