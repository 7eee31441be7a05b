import t from 'tap'
import type { Stream } from '../../src/mux/events.ts'
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

/** Bulk from the agent beside bytes that it echoes, over one line for two carriers with a queue that has no end. */
function besideBulk(
  rate: number,
  delayMs: number,
  forMs: number,
): { bytes: number; echoes: number[]; minRttMs: number } {
  const world = new World({ maxStreams: 16, credit: 16_384, delayMs, rate, isShared: true, hasRecords: true })
  world.dial('works', delayMs)
  world.advance(3000)
  const [bulk, echo] = [world.open()?.edge, world.open()?.edge]
  const echoes: number[] = []
  let bytes = 0
  let sentAt: number | undefined
  let source: Stream | undefined
  // The lanes carry zeros here: the oracle of their bytes is not asked.
  world.onEvents = ({ name, session }) => {
    for (const event of session.takeEvents()) {
      if (event.type !== 'data') continue
      event.stream.consumed(event.bytes.length)
      if (name === 'agent' && event.bytes.length === 3) source = event.stream
      else if (name === 'agent') event.stream.write(new Uint8Array(event.bytes))
      else if (event.stream === bulk) bytes += event.bytes.length
      else {
        echoes.push(world.now - (sentAt ?? 0))
        sentAt = undefined
      }
    }
    return true
  }
  bulk?.write(Buffer.from('get'))
  world.advance(200)
  const chunk = new Uint8Array(262_144)
  for (const until = world.now + forMs; world.now < until; world.advance(1)) {
    for (let room = source?.room ?? 0; room > 0; room = source?.room ?? 0) source?.write(chunk)
    if (sentAt !== undefined) continue
    sentAt = world.now
    echo?.write(Buffer.of(1))
  }
  const minRttMs = Math.min(...world.agent.session.carriers.map((carrier) => carrier.minRttMs ?? 0))
  return { bytes, echoes: echoes.toSorted((a, b) => a - b), minRttMs }
}

t.test('R9 the start ends also where credit is what holds back: an echo beside bulk waits little', async (t) => {
  // 400 Mbit/s, 20 ms there and back.
  const { bytes, echoes } = besideBulk(50_000, 10, 1500)
  t.ok(bytes > 0.75 * 50_000 * 1500, `${bytes} bytes in the first 1.5 s`)
  const median = echoes[echoes.length >> 1] ?? Number.NaN
  t.ok(median < 30, `${median} ms in the middle`)
})

t.test('R9 a long transfer does not take its own queue for the line', async (t) => {
  // 100 Mbit/s, 20 ms there and back.
  const { bytes, minRttMs } = besideBulk(12_500, 10, 12_000)
  t.ok(bytes > 0.9 * 12_500 * 12_000, `${bytes} bytes in 12 s`)
  t.ok(minRttMs < 22, `${minRttMs} ms is taken for the shortest round trip`)
})

t.test(
  'R9 after ten seconds of full load, and at the end of the start, half the cap makes room to measure the line',
  async (t) => {
    const pace = new Pace()
    pace.measured(0, 20)
    let [sent, acked, at] = [0, 0, 100]
    /** About 1,000 bytes a ms; as much is in flight as may be. Answers whether a PING is wanted. */
    const turn = (): boolean => {
      while (sent - acked < pace.allowed) {
        sent += 4096
        pace.sending(sent, acked, at)
      }
      pace.held()
      at += 4
      acked += 4096
      const hasRoom = pace.acknowledged(sent, acked, at, 1)
      if (hasRoom) pace.roomMade(at)
      return hasRoom
    }
    const untilAsked = (turns: number): number => {
      for (let count = 0; count < turns; count++) if (turn()) return at
      throw new Error('no PING was wanted')
    }
    const askedAt = untilAsked(1000)
    t.ok(pace.allowed < pace.cap, 'half the cap until the answer')
    t.ok(sent - acked <= pace.allowed, `${sent - acked} in flight, ${pace.allowed} may be`)
    pace.measured(at - 100, at)
    t.ok(pace.allowed < pace.cap, 'what was asked before the queue was gone does not count')
    for (let count = 0; count < 5; count++) t.notOk(turn(), 'asked once')
    pace.measured(askedAt, at)
    t.equal(pace.allowed, pace.cap)
    t.equal(pace.minRtt, 4, 'the first frame was acknowledged as soon')
    const askedAgainAt = untilAsked(3000)
    t.ok(askedAgainAt - askedAt > 10_000, `after ${askedAgainAt - askedAt} ms`)
    t.ok(sent - acked <= pace.allowed, `${sent - acked} in flight, ${pace.allowed} may be`)
    pace.measured(at, at + 30)
    t.equal(pace.minRtt, 30, 'the line has become longer')
  },
)

t.test('R9 the line is no longer than what an ACK shows of it', async (t) => {
  const pace = new Pace()
  pace.measured(0, 30)
  t.equal(pace.minRtt, 30, 'the first PING found everything cold')
  pace.sending(4096, 0, 100)
  pace.acknowledged(4096, 2048, 100.5, 1)
  pace.acknowledged(4096, 4096, 101, 1)
  t.equal(pace.minRtt, 1, 'when all of a frame had arrived')
  pace.sending(8192, 4096, 200)
  pace.acknowledged(8192, 8192, 220, 1)
  t.equal(pace.minRtt, 1, 'who acknowledges late says nothing of the line')
  t.equal(pace.smoothedRtt, 30)
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

/** An agent that pours on stream 1 over a line of 500 KB/ms and no length: what may be in flight in the end. */
function capBeside(besides: (agent: Bench) => void): number {
  const agent = new Bench('agent')
  agent.settle()
  const bulk = agent.opened(1, 1, 2 ** 40)
  const chunk = Buffer.alloc(4 * 1024 * 1024)
  for (let round = 0; round < 60; round++) {
    bulk.write(chunk)
    besides(agent)
    const frames = agent.hear()
    for (const frame of frames) if (frame.type === 'ping') agent.say(1, { type: 'pong', token: frame.token })
    agent.collect()
    agent.now += ((agent.session.carriers[0]?.inFlightBytes ?? 0) + 1) / 500_000
    agent.ack()
  }
  return agent.session.carriers[0]?.capBytes ?? 0
}

t.test('R9 while somebody converses less is in flight, and a second later as much as ever', async (t) => {
  const alone = capBeside(() => undefined)
  t.ok(alone > 1024 * 1024, `alone: ${alone}`)
  let others = 1
  const asking = (agent: Bench): void => {
    others++
    agent.opened(others).write(Buffer.alloc(4096))
  }
  const beside = capBeside(asking)
  t.ok(beside < 300 * 1024, `beside others who say little: ${beside}`)
  t.equal(
    capBeside((agent) => {
      if (agent.now < 10_001) asking(agent)
      else if (agent.now < 10_010) agent.now += 1000
    }),
    alone,
    'a second later',
  )
  const much = capBeside((agent) => {
    others++
    agent.opened(others, 1, 2 ** 40).write(Buffer.alloc(100_000))
  })
  t.equal(much, alone, 'others who send much are no conversation')
})

t.test('while somebody converses a writer is asked to wait sooner', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  const bulk = agent.opened(1)
  t.equal(bulk.room, 256 * 1024)
  agent.opened(2).write(Buffer.alloc(1))
  agent.hear()
  agent.collect()
  t.equal(bulk.room, 64 * 1024)
  agent.now += 1000
  agent.say(1, { type: 'ping', token: 1 })
  agent.collect()
  t.equal(bulk.room, 256 * 1024)
})

t.test('R9 at most 16 MiB are in flight, however fast and long the line', async (t) => {
  const edge = new Bench('edge', { peerCredit: 2 ** 40 })
  const [ping] = edge.hearOnly('ping')
  edge.now += 50
  edge.say(1, { type: 'pong', token: ping?.token ?? 0 })
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

t.test(
  'R9 on a slow line what is handed over together is small, and what was fast a second ago is forgotten',
  async (t) => {
    const pace = new Pace()
    pace.measured(0, 5)
    let [sent, acked, at] = [0, 0, 100]
    /** Bytes a ms, for so long. */
    const go = (rate: number, ms: number): void => {
      for (const until = at + ms; at < until; ) {
        while (sent - acked < pace.allowed) {
          sent += Math.min(pace.frameBytes(true), 4096)
          pace.sending(sent, acked, at)
        }
        pace.held()
        const step = Math.max(1, 512 / rate)
        at += step
        acked = Math.min(sent, acked + step * rate)
        if (pace.acknowledged(sent, acked, at, 1)) {
          pace.roomMade(at)
          pace.measured(at, at + 5)
        }
      }
    }
    t.notOk(pace.isSlow, 'nothing is known yet')
    go(10_000, 2000)
    t.notOk(pace.isSlow)
    t.equal(pace.pieceBytes, Number.POSITIVE_INFINITY)
    // What was under way goes first.
    go(12, 90_000)
    t.ok(pace.isSlow)
    t.ok((pace.rate ?? 0) < 24, `${pace.rate} bytes a ms`)
    t.ok(pace.pieceBytes <= 4096 && pace.frameBytes(true) <= pace.pieceBytes, `${pace.pieceBytes} bytes together`)
    t.ok(pace.cap <= 16_384, `${pace.cap} bytes in flight`)
    go(10_000, 2000)
    t.notOk(pace.isSlow, 'and fast again')
  },
)

t.test('R9 on a slow line datagrams, too, are handed over in small pieces', async (t) => {
  const edge = new Bench('edge', { peerCredit: 2 ** 40 })
  edge.settle()
  const stream = edge.open()
  stream.write(Buffer.alloc(512 * 1024))
  // 16 bytes a ms.
  for (let turns = 0; turns < 20; turns++) {
    edge.hear()
    edge.now += 500
    edge.ack()
  }
  t.ok(edge.session.isSlow(1))
  const flow = edge.session.openFlow(Buffer.alloc(46))
  for (let count = 0; count < 100; count++) edge.session.sendDatagram(flow, Buffer.alloc(1000))
  const { buffers } = edge.session.pull(1, edge.now)
  const bytes = buffers.reduce((sum, { length }) => sum + length, 0)
  t.ok(bytes > 2000 && bytes < 6000, `${bytes} bytes together`)
})
