import t from 'tap'
import { Bench, dataFrame } from '../support/bench.ts'
import type { Frame } from '../support/frames.ts'
import { run } from '../support/schedule.ts'

function pings(frames: readonly Frame[]): number {
  return frames.filter(({ type }) => type === 'ping').length
}

/** The peer answers everything at once for some time. */
function chat(bench: Bench, ms: number, carrier = 1): void {
  const until = bench.now + ms
  while (bench.now < until) {
    for (const frame of bench.pass(Math.min(100, until - bench.now), [carrier])) {
      if (frame.type === 'ping') bench.say(carrier, { type: 'pong', token: frame.token })
    }
    bench.ack(carrier)
  }
}

t.test('R6 a PING goes out when a carrier begins', async (t) => {
  const agent = new Bench('agent')
  t.equal(pings(agent.hear()), 1)
})

t.test('R6 a PING goes out after 4 s without reading anything, and none before', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  t.equal(pings(agent.pass(3990)), 0)
  t.equal(pings(agent.pass(20)), 1)
})

t.test('R6 a PING goes out after 500 ms while bytes are unacknowledged, and none before', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  const stream = agent.opened(1)
  agent.pass(100)
  stream.write(Buffer.alloc(10))
  agent.hear()
  t.equal(pings(agent.pass(490)), 0)
  t.equal(pings(agent.pass(20)), 1)
})

t.test('R6 a PING goes out on every carrier when asked for, and when one is suspect or lost', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.attach(3)
  for (const carrier of [1, 2, 3]) agent.settle(carrier)
  agent.pass(100, [1, 2, 3])
  agent.session.probe(agent.now)
  for (const carrier of [1, 2, 3]) t.equal(pings(agent.hear(carrier)), 1, `asked on ${carrier}`)
  for (const carrier of [2, 3]) agent.say(carrier, { type: 'pong', token: 2 })
  agent.pass(990, [])
  t.same(agent.of('carrierSuspect'), [])
  agent.pass(20, [])
  t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
  for (const carrier of [2, 3]) t.equal(pings(agent.hear(carrier)), 1, `suspect: asked on ${carrier}`)
  agent.session.carrierClosed(2, agent.now)
  agent.say(3, { type: 'pong', token: 3 })
  t.equal(pings(agent.hear(3)), 1, 'lost: asked on 3')
})

t.test('R6 after a loss streams go where something has been heard since', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.attach(3)
  for (const carrier of [1, 2, 3]) agent.settle(carrier)
  const stream = agent.opened(1, 1)
  agent.now += 100
  agent.say(3, { type: 'lost', entries: [[1, 0]] })
  stream.write(Buffer.from('here'))
  t.same(agent.hearOnly('data', 2), [], 'carrier 2 may be dead as well')
  t.equal(agent.hearOnly('data', 3).length, 1)
})

t.test('F3 a peer answers at most one PING a tick, and the newest token wins', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  for (let token = 1; token <= 10_000; token++) agent.say(1, { type: 'ping', token })
  t.same(agent.hearOnly('pong'), [{ type: 'pong', token: 10_000 }])
  t.same(agent.hearOnly('pong'), [])
})

t.test('R7 a carrier is suspect when a PING is unanswered for 3 s while no RTT is known', async (t) => {
  const agent = new Bench('agent')
  agent.hear()
  agent.pass(2990)
  t.same(agent.of('carrierSuspect'), [])
  agent.pass(20)
  t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
  t.same(agent.of('carrierLost'), [], 'but not lost')
})

t.test('R7 an interactive stream, which never shows a rate: suspect after 1 s once an RTT is known', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.settle()
  stream.write(Buffer.alloc(10))
  agent.hear()
  agent.pass(990)
  t.same(agent.of('carrierSuspect'), [])
  agent.pass(30)
  t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
})

t.test(
  'R7 a line that came back from a silence is given three times as long, 3 s at most, for half a minute',
  async (t) => {
    for (const [silenceMs, patienceMs] of [
      [300, 1000],
      [600, 1800],
      [990, 2970],
    ] as const) {
      const agent = new Bench('agent')
      const stream = agent.opened(1)
      agent.settle()
      stream.write(Buffer.alloc(10))
      agent.hear()
      agent.pass(silenceMs)
      agent.ack()
      chat(agent, 5000)
      stream.write(Buffer.alloc(10))
      agent.hear()
      agent.pass(patienceMs - 20)
      t.same(agent.of('carrierSuspect'), [], `${silenceMs} ms: not before ${patienceMs} ms`)
      agent.pass(120)
      t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
      chat(agent, 65_000)
      stream.write(Buffer.alloc(10))
      agent.hear()
      agent.pass(1100)
      t.equal(agent.of('carrierSuspect').length, 2, 'forgotten a minute later')
    }
  },
)

t.test(
  'R7 four slow round trips, and what was in flight when the silence began at 40 kbit/s, count on top',
  async (t) => {
    const agent = new Bench('agent')
    const stream = agent.opened(1, 1, 65_536)
    const pings = agent.hearOnly('ping')
    agent.now += 400
    agent.say(1, { type: 'pong', token: pings[0]?.token ?? 0 })
    agent.ack()
    stream.write(Buffer.alloc(32_768))
    agent.hear()
    const inFlight = agent.session.carriers[0]?.inFlightBytes ?? 0
    t.ok(inFlight > 16_000, `${inFlight} bytes`)
    agent.pass(1600 + Math.floor(inFlight / 5) - 20)
    t.same(agent.of('carrierSuspect'), [])
    agent.pass(50)
    t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
  },
)

t.test('R7 what went through while there was no more to send counts, too: suspect after 1 s', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1, 1, 65_536)
  agent.settle()
  stream.write(Buffer.alloc(8192))
  agent.hear()
  agent.now += 10
  agent.ack()
  stream.write(Buffer.alloc(15_000))
  agent.hear()
  agent.pass(990)
  t.same(agent.of('carrierSuspect'), [])
  agent.pass(60)
  t.match(agent.of('carrierSuspect'), [{ carrier: 1 }])
})

t.test('R7 a carrier with nothing to answer is never suspect', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  agent.pass(3900)
  t.same(agent.of('carrierSuspect'), [])
})

t.test('R7 any byte read is proof of life and ends suspicion', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.settle()
  stream.write(Buffer.alloc(10))
  agent.hear()
  agent.pass(3500)
  t.equal(agent.of('carrierSuspect').length, 1)
  agent.feed(1, Buffer.from([3]))
  t.match(agent.of('carrierTrusted'), [{ carrier: 1 }])
  t.notOk(agent.session.carriers[0]?.suspect)
})

t.test('R7 a slow peer that keeps sending is not suspect, however long its ACK takes', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(10))
  agent.hear()
  for (let turn = 0; turn < 40; turn++) {
    agent.pass(900)
    agent.say(1, { type: 'ack', received: 0 })
  }
  t.same(agent.of('carrierSuspect'), [])
  t.same(agent.of('carrierLost'), [])
})

t.test('R7 clocks count in fractions: at its deadline a carrier is suspect, not a moment later', async (t) => {
  const agent = new Bench('agent')
  agent.now = 2110.016
  agent.attach(2)
  agent.session.carrierClosed(1, agent.now)
  agent.hear(2)
  for (let turn = 0; turn < 10 && agent.of('carrierSuspect').length === 0; turn++) {
    const due = agent.session.deadline()
    t.ok(due > agent.now, `a deadline after ${agent.now}`)
    agent.now = due
    agent.session.tick(due)
    agent.hear(2)
  }
  t.match(agent.of('carrierSuspect'), [{ carrier: 2 }])
})

t.test('R8 a carrier is lost when its socket has closed', async (t) => {
  const agent = new Bench('agent')
  agent.session.carrierClosed(1, agent.now)
  agent.collect()
  t.match(agent.events, [{ type: 'carrierLost', carrier: 1, why: 'closed' }, { type: 'away' }])
})

t.test('R8 a PING unanswered for 10 s with nothing read: lost, though it is the only one', async (t) => {
  const agent = new Bench('agent')
  agent.hear()
  agent.pass(9990)
  t.same(agent.of('carrierLost'), [])
  agent.pass(20)
  t.match(agent.of('carrierLost'), [{ carrier: 1, why: 'silent' }])
  t.equal(agent.of('away').length, 1)
})

t.test('R8 a suspect is lost once another carrier has answered what it was asked since it fell silent', async (t) => {
  const agent = new Bench('agent')
  for (const carrier of [1, 2]) {
    if (carrier > 1) agent.attach(carrier)
    agent.settle(carrier)
  }
  const stream = agent.opened(1, 1)
  stream.write(Buffer.alloc(10))
  agent.hear(1)
  agent.pass(990)
  agent.attach(3)
  t.match(agent.hearOnly('ping', 3), [{ token: 1 }])
  t.match(agent.pass(20), [])
  t.ok(agent.of('carrierSuspect').some(({ carrier }) => carrier === 1))
  t.same(agent.of('carrierLost'), [], 'a handshake that has finished is no proof')
  t.match(agent.hearOnly('ping', 2), [{ token: 2 }])
  agent.say(2, { type: 'pong', token: 2 })
  t.match(agent.of('carrierLost'), [{ carrier: 1, why: 'silent' }])
})

t.test(
  'R8 an answer to what was asked before the silence is no proof: both may wait behind the same queue',
  async (t) => {
    const agent = new Bench('agent')
    agent.settle(1)
    const stream = agent.opened(1, 1)
    agent.attach(2)
    agent.hear(2)
    agent.now += 10
    stream.write(Buffer.alloc(10))
    agent.hear(1)
    agent.pass(50)
    agent.say(2, { type: 'pong', token: 1 })
    agent.pass(1100)
    t.ok(agent.of('carrierSuspect').some(({ carrier }) => carrier === 1))
    t.same(agent.of('carrierLost'), [])
  },
)

/** Carrier 1 falls silent beside one whose PING takes `slowMs`, both ways; answers when it was lost after. */
function lostAfter(slowMs: number, isNew: boolean): number {
  const agent = new Bench('agent')
  agent.settle(1)
  agent.attach(2)
  agent.hear(2)
  agent.pass(slowMs, [1])
  agent.say(2, { type: 'pong', token: 1 })
  agent.say(1, { type: 'ping', token: 1 })
  agent.hear(1)
  const stream = agent.opened(1, 1)
  stream.write(Buffer.alloc(10))
  agent.hear(1)
  const from = agent.now
  if (isNew) {
    agent.pass(500, [1, 2])
    agent.attach(3)
  }
  const asked = isNew ? 3 : 2
  const answers: { at: number; token: number }[] = []
  while (agent.of('carrierLost').length === 0 && agent.now < from + 60_000) {
    agent.pass(10, isNew ? [1, 2] : [1])
    for (const { token } of agent.hearOnly('ping', asked)) {
      answers.push({ at: agent.now + (isNew ? 20 : slowMs), token })
    }
    while ((answers[0]?.at ?? Number.POSITIVE_INFINITY) <= agent.now) {
      agent.say(asked, { type: 'pong', token: answers.shift()?.token ?? 0 })
    }
  }
  return agent.now - from
}

t.test(
  'R8 where a round trip takes long, TCP is given twenty of them; a carrier that was made since shows the line as it is',
  async (t) => {
    const fast = lostAfter(20, false)
    t.ok(fast <= 1500, `${fast} ms on a fast line`)
    const mobile = lostAfter(200, false)
    t.ok(mobile <= 1800, `${mobile} ms where a round trip takes 200`)
    const slow = lostAfter(800, false)
    t.ok(slow >= 16_000 && slow < 17_000, `${slow} ms where a round trip takes 800`)
    const anew = lostAfter(800, true)
    t.ok(anew <= 1500, `${anew} ms where a new carrier is answered at once`)
  },
)

t.test('R8 what one carrier showed of the line goes with it: no deadline is left behind', async (t) => {
  const settings = { maxStreams: 64, credit: 16_384, delayMs: 10 }
  const steps = [
    ['wait', 95, 49_573],
    ['dial', 196, 35_217],
    ['dial', 233, 46_347],
    ['wait', 129, 30_375],
    ['stall', 176, 12_082],
    ['open', 119, 18_193],
    ['stall', 243, 50_087],
  ] as const
  t.doesNotThrow(() => run({ settings, isEager: true, isTapped: false, steps: [...steps] }))
})

t.test('R8 what the other carrier said before the silence is no proof', async (t) => {
  const agent = new Bench('agent')
  agent.attach(2)
  agent.settle(1)
  agent.settle(2)
  const stream = agent.opened(1, 1)
  agent.say(2, { type: 'ping', token: 1 })
  agent.now += 1
  stream.write(Buffer.alloc(10))
  agent.hear(1)
  agent.pass(3600, [1])
  t.ok(agent.of('carrierSuspect').some(({ carrier }) => carrier === 1))
  t.same(agent.of('carrierLost'), [])
})

t.test('R8 a tick that comes late moves all deadlines by the delay', async (t) => {
  for (const ms of [5000, 12_000, 60_000, 3_600_000]) {
    const agent = new Bench('agent')
    chat(agent, 1000)
    const stream = agent.opened(1)
    stream.write(Buffer.alloc(10))
    agent.pass(300)
    agent.session.deadline()
    agent.jump(ms)
    t.same(agent.of('carrierLost'), [], `after ${ms} ms of sleep`)
    t.same(agent.of('carrierSuspect'), [], `after ${ms} ms of sleep`)
    agent.hear()
    agent.pass(11_000)
    t.equal(agent.of('carrierLost').length, 1, 'but a silence that goes on counts')
  }
})

t.test('R8 what a full socket keeps from being sent is no late tick: silence counts', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(10))
  agent.hear()
  const from = agent.now
  // Nothing is pulled: the PING is due after 500 ms, and stays so.
  agent.pass(2000, [])
  t.match(agent.of('carrierSuspect'), [{ carrier: 1 }], `${agent.now - from} ms of silence`)
  agent.pass(9000, [])
  t.match(agent.of('carrierLost'), [{ carrier: 1, why: 'silent' }], 'a PING that finds no way out is unanswered, too')
})

t.test('R8 what is read late, but read, keeps the carrier', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  const stream = agent.opened(1)
  stream.write(Buffer.alloc(10))
  agent.hear()
  agent.now += 30_000
  agent.say(1, { type: 'ack', received: 26 })
  agent.session.tick(agent.now)
  agent.collect()
  t.same(agent.of('carrierLost'), [])
})

t.test('R10 a session without a carrier lives for its grace, then its streams are reset and it is gone', async (t) => {
  for (const side of ['edge', 'agent'] as const) {
    const bench = new Bench(side, { graceMs: 5000 })
    const stream = side === 'edge' ? bench.open() : bench.opened(1)
    bench.session.carrierClosed(1, bench.now)
    bench.pass(4990, [])
    t.notOk(bench.closed, `${side}: not before`)
    bench.pass(20, [])
    t.match(bench.of('reset'), [{ stream, code: 'STREAM_ABORTED' }], side)
    t.ok(bench.closed, side)
    t.ok(bench.session.ended)
    t.ok(stream.closed)
  }
})

t.test('R10 a carrier in time keeps everything', async (t) => {
  const agent = new Bench('agent', { graceMs: 5000 })
  const stream = agent.opened(1)
  agent.session.carrierClosed(1, agent.now)
  agent.pass(4900, [])
  agent.session.applyLost([[1, 0]], agent.now)
  agent.attach(2)
  t.match(agent.of('resumed'), [{ awayMs: 4900, streams: 1 }])
  agent.settle(2)
  agent.say(2, dataFrame(1, 0, 'on'))
  chat(agent, 10_000, 2)
  t.equal(agent.bytesOf(stream), 'on')
  t.notOk(agent.closed)
})
