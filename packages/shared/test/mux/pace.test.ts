import t from 'tap'
import { Pace } from '../../src/mux/pace.ts'
import { Bench, dataFrame } from '../support/bench.ts'
import { World } from '../support/world.ts'

t.test('R9 until a rate is known 16 KiB are in flight, in frames of 4 KiB', async (t) => {
  const agent = new Bench('agent')
  agent.opened(1, 1, 2 ** 40).write(Buffer.alloc(200_000))
  const frames = agent.hearOnly('data')
  t.ok(Math.max(...frames.map(({ bytes }) => bytes.length)) <= 4096)
  const bytes = agent.sent()
  t.ok(bytes >= 16_384 && bytes <= 16_384 + 4096 + 16, `${bytes} in flight`)
})

t.test('R9 frames other than DATA are exempt from the cap', async (t) => {
  const agent = new Bench('agent')
  agent.opened(1, 1, 2 ** 40).write(Buffer.alloc(200_000))
  agent.hear()
  const second = agent.opened(2)
  second.accept()
  second.end()
  agent.opened(3).reset('CANCELLED')
  agent.say(1, { type: 'ping', token: 5 }, dataFrame(1, 0, Buffer.alloc(16_384)))
  agent.hear()
  const types = agent.said.get(1)?.map(({ type }) => type) ?? []
  for (const type of ['accept', 'end', 'reset', 'pong'] as const) t.ok(types.includes(type), type)
})

t.test('R9 what is in flight follows the line: the link is full, its queue is short', async (t) => {
  for (const [rate, delayMs] of [
    [125, 20],
    [1250, 10],
    [12_500, 1],
  ] as const) {
    const world = new World({ maxStreams: 16, credit: 16_384, delayMs, rate })
    const lane = world.open()
    if (lane?.edge === undefined) throw new Error('no room')
    const [, agent] = world.sides
    let most = 0
    const chunk = Buffer.alloc(65_536)
    // The lane carries zeros here: the oracle of its bytes is not asked.
    const takeAll = (): void => {
      for (const event of agent.session.takeEvents()) {
        if (event.type === 'opened') lane.agent = event.stream
        if (event.type === 'data') event.stream.consumed(event.bytes.length)
      }
    }
    world.onEvents = (side) => {
      if (side.name !== 'agent') return false
      takeAll()
      return true
    }
    let received = 0
    const measure = (ms: number): void => {
      const until = world.now + ms
      while (world.now < until) {
        while (lane.edge !== undefined && lane.edge.room > 0) lane.edge.write(chunk)
        world.advance(1)
        most = Math.max(most, world.edge.session.carriers[0]?.inFlightBytes ?? 0)
      }
      received = lane.agent?.received ?? 0
    }
    measure(3000)
    const before = received
    most = 0
    measure(1000)
    const got = (received - before) / 1000 / rate
    t.ok(got > 0.85, `${Math.round(got * 100)} % of ${rate} B/ms at ${delayMs} ms`)
    const bound = Math.max(65_536, 1.25 * rate * 2 * delayMs + rate * 4 + 2 * 65_536) * 2
    t.ok(most <= bound, `${most} in flight, ${Math.round(bound)} would do`)
  }
})

t.test('R9 ACKs that come together show no more than what a round trip carried', async (t) => {
  const pace = new Pace()
  pace.sending(16_384, 0, 0)
  pace.held()
  pace.acknowledged(16_384, 16_384, 1300, 1)
  t.ok(Math.abs((pace.rate ?? 0) - 12.6) < 0.1, 'the first flight: 12.6 B/ms')
  pace.sending(20_480, 16_384, 1300)
  pace.sending(24_576, 16_384, 1300)
  pace.held()
  pace.acknowledged(24_576, 20_480, 1700, 1)
  pace.sending(28_672, 20_480, 1700)
  pace.held()
  // It had waited in a queue on its way back, and was caught up with by the next one.
  pace.acknowledged(28_672, 24_576, 1701, 1)
  t.ok((pace.rate ?? 0) < 15, `${pace.rate} B/ms`)
})

t.test('R9 at most 16 MiB are in flight, however fast and long the line', async (t) => {
  const edge = new Bench('edge', { peerCredit: 2 ** 40 })
  edge.settle()
  const stream = edge.open()
  const chunk = Buffer.alloc(16 * 1024 * 1024)
  for (let count = 0; count < 40; count++) stream.write(chunk)
  let most = 0
  for (let round = 0; round < 16; round++) {
    edge.now += 50
    const frames = edge.hear()
    most = Math.max(most, edge.session.carriers[0]?.inFlightBytes ?? 0)
    edge.now += 50
    for (const frame of frames) if (frame.type === 'ping') edge.say(1, { type: 'pong', token: frame.token })
    edge.ack()
  }
  t.ok(most > 4 * 1024 * 1024, `${most} bytes: it has grown`)
  t.ok(most <= 16 * 1024 * 1024 + 300_000, `${most} bytes`)
})
