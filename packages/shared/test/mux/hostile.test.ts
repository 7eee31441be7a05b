import t from 'tap'
import { Bench, dataFrame, openFrame } from '../support/bench.ts'
import { encodeAll, type Frame, raw } from '../support/frames.ts'

/** What a peer may make us keep, in objects: far more than an honest one ever needs, far less than hurts. */
const MANY = 100_000

const NOTHING = Buffer.alloc(0)

type Side = 'edge' | 'agent'
const CASES: [name: string, side: Side, frames: (Frame | Buffer)[], code: string][] = [
  [
    'an edge that sends past its credit',
    'agent',
    [openFrame(1), dataFrame(1, 0, Buffer.alloc(16_385))],
    'CREDIT_EXCEEDED',
  ],
  ['an agent that opens', 'edge', [openFrame(1)], 'PROTOCOL_VIOLATION'],
  ['an edge that accepts', 'agent', [openFrame(1), { type: 'accept', stream: 1 }], 'PROTOCOL_VIOLATION'],
  ['an agent that accepts what nobody opened', 'edge', [{ type: 'accept', stream: 7 }], 'PROTOCOL_VIOLATION'],
  ['an edge that jumps ahead', 'agent', [openFrame(4097)], 'PROTOCOL_VIOLATION'],
  ['an edge that opens the last id', 'agent', [openFrame(2 ** 32 - 1)], 'PROTOCOL_VIOLATION'],
  ['a peer that leaves a gap in stream 0', 'agent', [dataFrame(0, 5, 'x')], 'PROTOCOL_VIOLATION'],
  ['a peer that acknowledges the future', 'edge', [{ type: 'ack', received: 1 }], 'PROTOCOL_VIOLATION'],
  ['a peer that acknowledges all there is', 'agent', [{ type: 'ack', received: 2 ** 53 - 1 }], 'PROTOCOL_VIOLATION'],
  ['a carrier that declares itself lost', 'agent', [{ type: 'lost', entries: [[1, 0]] }], 'PROTOCOL_VIOLATION'],
  ['a count at 2^53 - 1', 'agent', [openFrame(1), dataFrame(1, 2 ** 53 - 1, 'x')], 'PROTOCOL_VIOLATION'],
  [
    'an end at 2^53 - 1 with bytes behind it',
    'agent',
    [openFrame(1), { type: 'end', stream: 1, final: 0 }, dataFrame(1, 0, 'x')],
    'PROTOCOL_VIOLATION',
  ],
  ['a message that no memory holds', 'agent', [dataFrame(0, 0, Buffer.from('ffffffff', 'hex'))], 'MESSAGE_INVALID'],
  ['a length of 16 MiB', 'agent', [raw(3, 1, NOTHING, 2 ** 24 - 1)], 'FRAME_TOO_LARGE'],
  ['HTTP instead of frames', 'edge', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'FRAME_UNKNOWN'],
]

for (const [name, side, frames, code] of CASES) {
  t.test(`F1 ${name} gets ${code}, a GOAWAY, and nothing throws`, async (t) => {
    const bench = new Bench(side)
    bench.hear()
    for (const frame of frames) bench.feed(1, 'type' in frame ? encodeAll(frame) : frame)
    t.match(bench.closed, { code, byPeer: false })
    t.match(bench.hear(), [{ type: 'goaway' }])
    bench.feed(1, Buffer.alloc(100, 255))
    bench.session.carrierClosed(1, bench.now)
    bench.collect()
    t.equal(bench.of('closed').length, 1)
  })
}

t.test(
  'an edge that opens more than was agreed is refused stream by stream, and cut when it does not stop',
  async (t) => {
    const agent = new Bench('agent', { maxStreams: 16 })
    for (let id = 1; id <= MANY && agent.closed === undefined; id++) agent.say(1, openFrame(id))
    t.equal(agent.of('opened').length, 16)
    t.ok(agent.session.figures.streams <= 16 + 4096, `${agent.session.figures.streams} kept`)
    t.match(agent.closed, { code: 'BUFFER_EXCEEDED' })
  },
)

t.test('an edge that opens and resets for ever leaves nothing behind', async (t) => {
  const agent = new Bench('agent', { maxStreams: 16 })
  for (let id = 1; id <= MANY; id++) {
    agent.say(1, openFrame(id), dataFrame(id, 0, 'x'), { type: 'reset', stream: id, code: 1 })
    agent.events.length = 0
  }
  t.notOk(agent.session.ended)
  t.equal(agent.session.figures.streams, 0)
  t.equal(agent.session.figures.bufferedBytes, 0)
  t.equal(agent.session.figures.grantedBytes, 0)
})

t.test('a peer that takes credit and never acknowledges cannot make the ledger grow without end', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  let limit = 16_384
  let sent = 0
  let most = 0
  for (let round = 0; round < 4 * MANY && !agent.session.ended; round++) {
    const length = Math.min(2100, limit - sent)
    agent.session.receive(1, encodeAll(dataFrame(1, sent, Buffer.alloc(length))), agent.now)
    agent.session.takeEvents()
    sent += length
    stream.consumed(length)
    agent.now += 50
    for (const bytes of agent.session.pull(1, agent.now).buffers) {
      for (const frame of framesOf(bytes)) if (frame.type === 6) limit = frame.limit
    }
    most = Math.max(most, agent.session.carriers[0]?.inFlightBytes ?? 0)
  }
  t.ok(most < 2 * 1024 * 1024, `${most} bytes without acknowledgement`)
})

/** Types and first numbers of whole frames: faster than the oracle. */
function framesOf(bytes: Uint8Array): { type: number; limit: number }[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: { type: number; limit: number }[] = []
  for (let at = 0; at + 8 <= all.length; at += 8 + all.readUIntLE(at + 1, 3)) {
    const type = all.readUInt8(at)
    frames.push({ type, limit: type === 6 ? Number(all.readBigUInt64LE(at + 8)) : 0 })
  }
  return frames
}

t.test('an agent that declares numbers lost that never were cannot make the edge remember them all', async (t) => {
  const edge = new Bench('edge')
  edge.settle()
  let number = 2
  for (let round = 0; round < MANY / 64 && !edge.session.ended; round++) {
    const entries = Array.from({ length: 64 }, () => [number++, 0] as const)
    edge.say(1, { type: 'lost', entries })
  }
  const said = edge.hear().reduce((sum, frame) => sum + (frame.type === 'lost' ? frame.entries.length : 0), 0)
  t.ok(said <= 128, `${said} numbers remembered`)
})

t.test('a peer that sends datagrams of unknown flows and reads nothing gets a bounded answer', async (t) => {
  const agent = new Bench('agent')
  const bytes = encodeAll({ type: 'datagram', flow: 9, flags: 0, body: NOTHING })
  const many = Buffer.concat(Array.from({ length: 1000 }, () => bytes))
  for (let round = 0; round < MANY / 1000; round++) agent.feed(1, many)
  const answers = agent.hearOnly('datagram').length
  t.ok(answers <= 20_000, `${answers} answers waited`)
})

t.test('F3 a peer that pings and reads nothing gets one answer', async (t) => {
  const agent = new Bench('agent')
  for (let token = 0; token < MANY; token += 100) {
    agent.say(1, ...Array.from({ length: 100 }, (_, index): Frame => ({ type: 'ping', token: token + index })))
  }
  t.equal(agent.hearOnly('pong').length, 1)
})

t.test('a peer that repeats what it has said for ever changes nothing', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  const again = encodeAll(openFrame(1), dataFrame(1, 0, 'abc'), { type: 'end', stream: 1, final: 3 })
  const many = Buffer.concat(Array.from({ length: 100 }, () => again))
  for (let round = 0; round < MANY / 1000; round++) agent.feed(1, many)
  t.equal(agent.bytesOf(stream), 'abc')
  t.equal(agent.of('ended').length, 1)
  t.notOk(agent.closed)
})

t.test('an edge with an opening of any length up to 256 bytes is heard out', async (t) => {
  const agent = new Bench('agent')
  for (const [index, length] of [0, 1, 45, 46, 47, 256].entries()) {
    agent.say(1, { type: 'open', stream: index + 1, credit: 0, opening: Buffer.alloc(length, 1) })
  }
  t.same(
    agent.of('opened').map(({ stream }) => stream.opening.length),
    [0, 1, 45, 46, 47, 256],
  )
})

t.test('an owner that resets inside every callback does no harm', async (t) => {
  const agent = new Bench('agent')
  for (let id = 1; id <= 100; id++) {
    agent.session.receive(
      1,
      encodeAll(openFrame(id), dataFrame(id, 0, 'abc'), { type: 'end', stream: id, final: 3 }),
      agent.now,
    )
    for (const event of agent.session.takeEvents()) if ('stream' in event) event.stream.reset('SERVICE_BROKE')
    agent.hear()
  }
  agent.ack()
  t.equal(agent.session.figures.streams, 0)
  t.notOk(agent.session.ended)
})
