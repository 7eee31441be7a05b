import t from 'tap'
import { Bench, dataFrame, encode, openFrame } from '../support/bench.ts'
import { u64 } from '../support/frames.ts'

t.test('R1 ACK counts the bytes of ledgered frames, headers included, and of no others', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.say(1, { type: 'ping', token: 1 }, { type: 'pong', token: 99 }, { type: 'ack', received: 0 })
  agent.say(1, { type: 'datagram', flow: 1, flags: 0, body: Buffer.alloc(50) })
  t.same(
    agent.pass(100).filter(({ type }) => type === 'ack'),
    [],
    'nothing to acknowledge',
  )
  agent.say(1, openFrame(1), dataFrame(1, 0, 'abc'), { type: 'end', stream: 1, final: 3 })
  t.match(
    agent.pass(100).filter(({ type }) => type === 'ack'),
    [{ received: 62 + 19 + 16 }],
  )
})

t.test('R1 of an incomplete frame the part that came counts', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.opened(1)
  agent.pass(100)
  const bytes = encode(dataFrame(1, 0, Buffer.alloc(100)))
  for (const [from, to] of [
    [0, 3],
    [3, 8],
    [8, 12],
    [12, 17],
    [17, 100],
    [100, 116],
  ] as const) {
    agent.feed(1, bytes.subarray(from, to))
    t.match(
      agent.pass(100).filter(({ type }) => type === 'ack'),
      [{ received: 62 + to }],
      `after ${to} bytes`,
    )
  }
})

t.test('R1 an ACK above what was sent is a violation, one at it and one below are not', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(10))
  agent.hear()
  agent.say(1, { type: 'ack', received: 26 }, { type: 'ack', received: 3 }, { type: 'ack', received: 0 })
  t.notOk(agent.closed)
  agent.say(1, { type: 'ack', received: 27 })
  t.match(agent.closed, { code: 'PROTOCOL_VIOLATION' })
})

t.test('R1 bytes are kept until they are acknowledged, and then released', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  const released: number[] = []
  for (let index = 0; index < 4; index++) stream.write(Buffer.alloc(100), () => released.push(index))
  agent.hear()
  t.same(released, [])
  agent.say(1, { type: 'ack', received: 16 + 99 })
  t.same(released, [], 'one byte short')
  agent.ack()
  t.same(released, [0, 1, 2, 3])
  t.equal(agent.session.figures.bufferedBytes, 0)
})

t.test('R1 bytes of a reset stream that a carrier may still hold are not released, the others are', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 150)
  const released: number[] = []
  for (let index = 0; index < 4; index++) stream.write(Buffer.alloc(100), () => released.push(index))
  agent.hear()
  stream.reset('CANCELLED')
  t.same(released, [2, 3], 'of the second a half is on its way')
  agent.hear()
  agent.ack()
  t.same(released, [2, 3])
  t.equal(agent.session.figures.bufferedBytes, 0)
})

t.test('R2 an ACK is due 20 ms after the first unacknowledged byte', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.say(1, openFrame(1))
  const from = agent.now
  agent.pass(19)
  t.notOk(
    agent.said.get(1)?.some(({ type }) => type === 'ack'),
    'not before',
  )
  t.ok(agent.session.deadline() <= from + 20)
  agent.pass(1)
  t.ok(agent.said.get(1)?.some(({ type }) => type === 'ack'))
})

t.test('R2 an ACK is due at once after 64 KiB, the greatest quantum', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  let offset = 0
  let limit = 16_384
  const stream = agent.opened(1)
  let behind = 0
  let most = 0
  for (let round = 0; round < 200; round++) {
    const length = Math.min(4000, limit - offset)
    agent.say(1, dataFrame(1, offset, Buffer.alloc(length)))
    offset += length
    behind += length + 16
    stream.consumed(length)
    for (const frame of agent.hear()) {
      if (frame.type === 'credit') limit = frame.limit
      if (frame.type === 'ack') behind = 0
    }
    most = Math.max(most, behind)
  }
  t.ok(most <= 65_536, `${most} bytes without an ACK`)
})

t.test('R3 who gives a carrier up says so in LOST on a live one, with the bytes received on it', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  agent.opened(1, 1)
  agent.feed(1, encode(dataFrame(1, 0, 'abcdef')).subarray(0, 18))
  agent.session.carrierClosed(1, agent.now)
  agent.collect()
  t.same(agent.hearOnly('lost', 2), [{ type: 'lost', entries: [[1, 62 + 18]] }])
  t.match(agent.of('carrierLost'), [{ carrier: 1, why: 'closed' }])
})

t.test('R3 it is said in attach and welcome, too, until it is known to have arrived', async (t) => {
  const agent = new Bench('agent')
  agent.opened(1)
  agent.session.carrierClosed(1, agent.now)
  const second = agent.session.nextCarrier()
  t.same(agent.session.lostReport(second), [[1, 62]])
  agent.session.carrierClosed(second, agent.now)
  const third = agent.session.nextCarrier()
  t.same(
    agent.session.lostReport(third).toSorted(([a], [b]) => a - b),
    [
      [1, 62],
      [second, 0],
    ],
  )
})

t.test('R3 nothing is read any more from a carrier that was given up', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.session.carrierClosed(1, agent.now)
  agent.say(1, dataFrame(1, 0, 'late'), openFrame(2))
  agent.feed(1, Buffer.from([255]))
  t.equal(stream.received, 0)
  t.equal(agent.of('opened').length, 1)
  t.notOk(agent.closed)
  t.same(agent.session.pull(1, agent.now).buffers, [])
})

t.test('R3 who hears that a carrier was given up drops it at once and answers with its own count', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  agent.opened(1, 1)
  agent.say(2, { type: 'lost', entries: [[1, 0]] })
  t.match(agent.of('carrierLost'), [{ carrier: 1, why: 'peer' }])
  t.same(agent.hearOnly('lost', 2), [{ type: 'lost', entries: [[1, 62]] }])
  agent.say(2, { type: 'lost', entries: [[1, 0]] })
  t.same(agent.hearOnly('lost', 2), [], 'once')
})

t.test('R3 an earlier LOST that arrives says nothing of a later one on the same carrier', async (t) => {
  const edge = new Bench('edge')
  for (const carrier of [2, 3]) edge.attach(carrier)
  for (const carrier of [1, 2, 3]) edge.settle(carrier)
  edge.session.carrierClosed(1, edge.now)
  t.match(edge.hearOnly('lost', 2), [{ entries: [[1, 0]] }])
  const first = edge.sent(2)
  edge.session.carrierClosed(3, edge.now)
  t.match(edge.hearOnly('lost', 2), [{ entries: [[3, 0]] }])
  // The agent heard the first alone and said so, then gave carrier 2 up.
  edge.say(2, { type: 'ack', received: first })
  edge.session.applyLost(
    [
      [1, 0],
      [2, first],
      [3, 0],
    ],
    edge.now,
  )
  const report = edge.session.lostReport(4).map(([carrier]) => carrier)
  t.ok(report.includes(3), 'the count of carrier 3 is said again')
  t.ok(report.includes(2))
})

t.test('R3 a LOST that was lost itself is said again', async (t) => {
  const edge = new Bench('edge')
  for (const carrier of [2, 3]) edge.attach(carrier)
  for (const carrier of [1, 2, 3]) edge.settle(carrier)
  edge.session.carrierClosed(1, edge.now)
  t.match(edge.hearOnly('lost', 2), [{ entries: [[1, 0]] }])
  edge.session.carrierClosed(2, edge.now)
  const said = edge.hearOnly('lost', 3).flatMap(({ entries }) => entries.map(([carrier]) => carrier))
  t.same(
    said.toSorted((a, b) => a - b),
    [1, 2],
  )
})

t.test('R4 every stream goes back to its lowest unacknowledged offset, whatever the count', async (t) => {
  const text = 'abcdefghijklmnopqrstuvwxyz'
  for (let count = 0; count <= 16 + text.length + 16; count++) {
    const agent = new Bench('agent')
    const stream = agent.opened(1)
    stream.write(Buffer.from(text))
    stream.end()
    agent.hear()
    t.equal(agent.sent(), 16 + text.length + 16)
    agent.session.carrierClosed(1, agent.now)
    agent.session.applyLost([[1, count]], agent.now)
    agent.attach(2)
    const again = agent.hearOnly('data', 2)
    const arrived = Math.max(0, Math.min(text.length, count - 16))
    const bytes = again.map((frame) => frame.bytes.toString()).join('')
    t.equal(bytes, text.slice(arrived), `count ${count}`)
    if (arrived < text.length) t.equal(again[0]?.offset, arrived)
    const ends = (agent.said.get(2) ?? []).filter((frame) => frame.type === 'end')
    t.same(ends, count < 16 + text.length + 16 ? [{ type: 'end', stream: 1, final: text.length }] : [])
  }
})

t.test('R4 resends go before new bytes, and a second loss while resending is treated as the first', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 100_000)
  const all = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251))
  stream.write(all.subarray(0, 6000))
  agent.hear()
  agent.session.carrierClosed(1, agent.now)
  stream.write(all.subarray(6000))
  agent.session.applyLost([[1, 16 + 1000]], agent.now)
  agent.attach(2)
  // Only some of the resent bytes are pulled before the second carrier dies as well.
  t.equal(agent.hearOnly('lost', 2, 1).length, 1)
  t.match(agent.hearOnly('data', 2, 1), [{ offset: 1000 }])
  agent.session.carrierClosed(2, agent.now)
  agent.session.applyLost([[2, 20 + 16 + 34]], agent.now)
  agent.attach(3)
  const frames = agent.hearOnly('data', 3)
  let offset = frames[0]?.offset ?? -1
  t.equal(offset, 1034)
  for (const frame of frames) {
    t.equal(frame.offset, offset)
    t.ok(all.subarray(offset, offset + frame.bytes.length).equals(frame.bytes), `bytes at ${offset}`)
    offset += frame.bytes.length
  }
  t.equal(offset, 10_000)
})

t.test('R4 OPEN, ACCEPT, END and RESET without acknowledgement go again, those with one do not', async (t) => {
  const agent = new Bench('agent')
  const [first, second, third] = [agent.opened(1), agent.opened(2), agent.opened(3)]
  first.accept()
  agent.hear()
  const accepted = agent.sent()
  second.accept()
  second.end()
  third.reset('SERVICE_REFUSED')
  agent.hear()
  agent.session.carrierClosed(1, agent.now)
  agent.session.applyLost([[1, accepted]], agent.now)
  agent.attach(2)
  t.same(
    agent.hear(2).filter((frame) => 'stream' in frame),
    [
      { type: 'accept', stream: 2 },
      { type: 'end', stream: 2, final: 0 },
      { type: 'reset', stream: 3, code: 2 },
    ],
  )
})

t.test('R4 a count above what was sent is a violation', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.say(2, { type: 'lost', entries: [[1, 1]] })
  t.match(agent.closed, { code: 'PROTOCOL_VIOLATION' })
})

t.test('R5 a carrier that the edge never saw is reported with count 0, and its number is refused then', async (t) => {
  const agent = new Bench('agent')
  const number = agent.session.nextCarrier()
  t.equal(number, 2)
  agent.session.carrierClosed(number, agent.now)
  t.same(agent.session.lostReport(agent.session.nextCarrier()), [[2, 0]])

  const edge = new Bench('edge')
  t.ok(edge.session.mayAttach(2))
  edge.session.applyLost([[2, 0]], edge.now)
  t.notOk(edge.session.mayAttach(2), 'given up before it was seen')
  t.ok(edge.session.mayAttach(3))
})

t.test(
  'R5 a hundred failed dials leave room for what matters in the next attach, and are all said in the end',
  async (t) => {
    const agent = new Bench('agent')
    agent.opened(1)
    agent.session.carrierClosed(1, agent.now)
    for (let count = 0; count < 100; count++) agent.session.carrierClosed(agent.session.nextCarrier(), agent.now)
    const number = agent.session.nextCarrier()
    const report = agent.session.lostReport(number)
    t.equal(report.length, 64)
    t.same(report[0], [1, 62])
    const edge = new Bench('edge')
    edge.open()
    edge.session.applyLost(report, edge.now)
    const welcome = edge.session.lostReport(number)
    edge.attach(number)
    agent.session.applyLost(welcome, agent.now)
    agent.attach(number)
    for (let turn = 0; turn < 4; turn++) {
      edge.say(number, ...agent.hear(number))
      agent.say(number, ...edge.hear(number))
      agent.pass(30, [])
      edge.pass(30, [])
    }
    t.notOk(agent.closed)
    t.notOk(edge.closed)
    t.same(agent.session.lostReport(number + 1), [], 'nothing is left to say')
    t.same(edge.session.lostReport(number + 1), [])
    for (let used = 2; used <= number; used++) t.notOk(edge.session.mayAttach(used))
  },
)

t.test('H6 the edge refuses a number that it has seen, that was given up, or that is too far behind', async (t) => {
  const edge = new Bench('edge')
  t.notOk(edge.session.mayAttach(1))
  for (const wrong of [0, -1, 1.5, 2 ** 32, Number.NaN]) t.notOk(edge.session.mayAttach(wrong), String(wrong))
  edge.attach(100)
  edge.session.carrierClosed(100, edge.now)
  t.notOk(edge.session.mayAttach(100))
  t.ok(edge.session.mayAttach(37))
  t.notOk(edge.session.mayAttach(36), '64 behind')
  t.ok(edge.session.mayAttach(101))
})

t.test('H6 the agent numbers its carriers one by one, also those whose attach fails', async (t) => {
  const agent = new Bench('agent')
  t.same(
    Array.from({ length: 3 }, () => agent.session.nextCarrier()),
    [2, 3, 4],
  )
})

t.test('the ledger takes no notice of a count that it has passed', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(100))
  agent.hear()
  agent.ack()
  agent.feed(1, Buffer.concat([Buffer.from([7, 8, 0, 0, 0, 0, 0, 0]), u64(0)]))
  t.equal(agent.session.carriers[0]?.inFlightBytes, 0)
  t.notOk(agent.closed)
})
