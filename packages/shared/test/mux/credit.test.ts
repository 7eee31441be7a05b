import t from 'tap'
import { CreditPool, ReceiveWindow } from '../../src/mux/window.ts'
import { Bench, dataFrame, openFrame } from '../support/bench.ts'

function payload(bench: Bench, carrier = 1): number {
  return bench.hearOnly('data', carrier).reduce((sum, frame) => sum + frame.bytes.length, 0)
}

t.test('W1 the opener grants its limit in OPEN, and the accepter sends just as far', async (t) => {
  for (const credit of [0, 1, 4095, 4097, 12_000]) {
    const agent = new Bench('agent')
    const stream = agent.opened(1, 1, credit)
    stream.write(Buffer.alloc(50_000))
    t.equal(payload(agent), credit)
    agent.ack()
    t.equal(payload(agent), 0, 'an ACK is no credit')
  }
})

t.test('W1 the accepter grants the credit of its login, and the opener sends just as far', async (t) => {
  for (const credit of [1, 4095, 12_000]) {
    const edge = new Bench('edge', { peerCredit: credit })
    const stream = edge.open()
    stream.write(Buffer.alloc(50_000))
    t.equal(payload(edge), credit)
    edge.say(1, { type: 'credit', stream: 1, limit: credit + 7 })
    t.equal(payload(edge), 7, 'limits are absolute')
  }
})

t.test('W1 stream 0 has 65,536 bytes each way', async (t) => {
  const agent = new Bench('agent')
  agent.settle()
  for (let count = 0; count < 20; count++) agent.session.sendMessage(Buffer.alloc(6000, 0x20))
  let sent = 0
  for (let turn = 0; turn < 20; turn++) {
    sent += payload(agent)
    agent.ack()
  }
  t.equal(sent, 65_536)
  agent.say(1, dataFrame(0, 0, Buffer.alloc(65_537, 0x20)))
  t.match(agent.closed, { code: 'CREDIT_EXCEEDED' })
})

t.test('W2 credit returns when bytes were taken, not when they arrive', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, dataFrame(1, 0, Buffer.alloc(16_384)))
  t.same(
    agent.pass(200).filter(({ type }) => type === 'credit'),
    [],
  )
  stream.consumed(16_384)
  t.match(agent.hearOnly('credit'), [{ stream: 1 }])
})

t.test('W2 a consumer that takes a byte at a time does not cost a CREDIT a byte', async (t) => {
  const agent = new Bench('agent', { budgetBytes: 2048 * 16_384 })
  const stream = agent.opened(1)
  let credits = 0
  let limit = 16_384
  let sent = 0
  for (let taken = 0; taken < 60_000; taken += 10) {
    while (sent < limit && sent - taken < 8000) {
      agent.say(1, dataFrame(1, sent, Buffer.alloc(Math.min(1000, limit - sent))))
      sent += Math.min(1000, limit - sent)
    }
    stream.consumed(10)
    agent.now += 1
    for (const frame of agent.hearOnly('credit')) {
      credits++
      limit = frame.limit
    }
    agent.ack()
  }
  t.ok(credits <= 40, `${credits} CREDIT frames for 60,000 bytes`)
  t.ok(limit >= 60_000)
})

t.test('W2 nor does it when its window has grown and others have taken the rest of the budget since', async (t) => {
  const pool = new CreditPool(2 * 16_384 + 200_000, 2)
  const window = new ReceiveWindow(pool, 16_384)
  for (let round = 0; round < 4; round++) {
    const length = window.limit - window.received
    window.arrived(length, 0)
    window.take(length, 0, 5)
  }
  t.ok(window.limit - window.consumed > 32_768, 'it has grown')
  pool.used += pool.free
  let credits = 0
  for (let taken = 0; taken < 300_000; taken += 10) {
    if (window.received - window.consumed < 10) window.arrived(window.limit - window.received, taken)
    const freed = pool.free
    if (window.take(10, taken, 5)) credits++
    // Others take at once what it gives back.
    if (pool.free > freed) pool.used += pool.free
  }
  t.ok(credits <= 300_000 / 4096, `${credits} CREDIT frames for 300,000 bytes`)
})

t.test('W3 DATA past the limit ends the session, one byte is enough', async (t) => {
  const agent = new Bench('agent', { ownCredit: 1000 })
  agent.opened(1)
  agent.say(1, dataFrame(1, 0, Buffer.alloc(1000)))
  t.notOk(agent.closed)
  agent.say(1, dataFrame(1, 1000, 'x'))
  t.match(agent.closed, { code: 'CREDIT_EXCEEDED', byPeer: false })
})

t.test('W3 the edge holds the agent to what its OPEN granted', async (t) => {
  const edge = new Bench('edge')
  edge.session.open(Buffer.alloc(46))
  const granted = edge.hearOnly('open')[0]?.credit ?? 0
  t.ok(granted >= 16_384)
  edge.say(1, dataFrame(1, 0, Buffer.alloc(granted)))
  t.notOk(edge.closed)
  edge.say(1, dataFrame(1, granted - 1, 'xy'))
  t.match(edge.closed, { code: 'CREDIT_EXCEEDED' })
})

t.test('W3 a limit never goes down, also when it is said again after a loss', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  agent.say(1, dataFrame(1, 0, Buffer.alloc(10_000)))
  stream.consumed(10_000)
  const [first] = agent.hearOnly('credit')
  agent.session.carrierClosed(1, agent.now)
  agent.session.applyLost([[1, 0]], agent.now)
  agent.attach(2)
  const [again] = agent.hearOnly('credit', 2)
  t.ok(first !== undefined && again !== undefined && again.limit >= first.limit, 'with its present value')
})

t.test('W3 a stream whose other side is over is granted nothing any more, least of all less', async (t) => {
  const agent = new Bench('agent')
  const [ended, dropped] = [agent.opened(1), agent.opened(2)]
  for (const id of [1, 2]) agent.say(1, dataFrame(id, 0, Buffer.alloc(8000)))
  ended.consumed(8000)
  dropped.consumed(8000)
  dropped.reset('CANCELLED')
  t.match(agent.hearOnly('credit'), [{ stream: 1 }])
  agent.say(1, { type: 'end', stream: 1, final: 8000 })
  agent.session.carrierClosed(1, agent.now)
  agent.session.applyLost([[1, 0]], agent.now)
  agent.attach(2)
  t.same(agent.hearOnly('credit', 2), [])
})

t.test('W4 what is granted and not consumed stays under the budget: OPENs of an edge with little', async (t) => {
  const budgetBytes = 64 * 16_384 + 20_000
  const edge = new Bench('edge', { maxStreams: 64, budgetBytes })
  for (let count = 0; count < 64; count++) edge.session.open(Buffer.alloc(46))
  const granted = edge.hearOnly('open').map(({ credit }) => credit)
  t.ok(granted.reduce((sum, credit) => sum + credit, 0) <= budgetBytes, granted.join(' '))
  t.ok(Math.min(...granted) >= 16_384, 'every stream has its 16 KiB')
  t.ok(edge.session.figures.grantedBytes <= budgetBytes)
})

t.test('W4 what is granted and not consumed stays under the budget: streams that grow', async (t) => {
  const budgetBytes = 16 * 16_384 + 300_000
  const agent = new Bench('agent', { maxStreams: 16, budgetBytes })
  const streams = Array.from({ length: 16 }, (_, index) => agent.opened(index + 1))
  const limits = streams.map(() => 16_384)
  const sent = streams.map(() => 0)
  const taken = streams.map(() => 0)
  let most = 0
  for (let round = 0; round < 300; round++) {
    streams.forEach((stream, index) => {
      const length = Math.min(65_536, (limits[index] ?? 0) - (sent[index] ?? 0))
      if (length > 0) agent.say(1, dataFrame(stream.id, sent[index] ?? 0, Buffer.alloc(length)))
      sent[index] = (sent[index] ?? 0) + length
      // Every other consumer is stuck.
      if (index % 2 === 0) {
        stream.consumed(length)
        taken[index] = (taken[index] ?? 0) + length
      }
    })
    agent.now += 1
    for (const { stream, limit } of agent.hearOnly('credit')) limits[stream - 1] = limit
    agent.ack()
    most = Math.max(
      most,
      limits.reduce((sum, limit, index) => sum + limit - (taken[index] ?? 0), 0),
    )
  }
  t.ok(most <= budgetBytes, `${most} of ${budgetBytes}`)
  t.ok(Math.max(...limits.map((limit, index) => limit - (taken[index] ?? 0))) > 16_384, 'a fast one has grown')
})

t.test('W4 a stream gets more than 16 KiB only after it has moved bytes', async (t) => {
  const agent = new Bench('agent')
  const stream = agent.opened(1)
  t.same(agent.hearOnly('credit'), [])
  stream.consumed(0)
  t.same(
    agent.pass(5000).filter(({ type }) => type === 'credit'),
    [],
  )
})

t.test('W4 bytes of an ended stream that wait for a slow consumer still count', async (t) => {
  const agent = new Bench('agent', { maxStreams: 2, budgetBytes: 2 * 16_384 })
  const stream = agent.opened(1)
  agent.say(1, dataFrame(1, 0, Buffer.alloc(16_384)), { type: 'end', stream: 1, final: 16_384 })
  stream.end()
  agent.hear()
  agent.ack()
  t.ok(stream.closed)
  t.equal(agent.session.figures.grantedBytes, 16_384)
  agent.opened(2)
  agent.say(1, openFrame(3))
  t.match(agent.hearOnly('reset'), [{ stream: 3, code: 8 }], 'a third would pass the budget: SESSION_FULL')
  stream.consumed(16_384)
  t.equal(agent.session.figures.grantedBytes, 16_384, 'of the second alone')
  agent.ack()
  t.equal(agent.opened(4).id, 4)
})

t.test('C5 consumers that are stuck keep neither ACKs nor PONGs nor other streams from coming', async (t) => {
  const agent = new Bench('agent', { maxStreams: 64, budgetBytes: 64 * 16_384 })
  agent.settle()
  for (let id = 1; id < 64; id++) {
    agent.opened(id)
    agent.say(1, dataFrame(id, 0, Buffer.alloc(16_384)))
  }
  const lively = agent.opened(64)
  agent.say(1, { type: 'ping', token: 7 }, dataFrame(64, 0, 'still read'))
  t.equal(agent.bytesOf(lively), 'still read')
  const heard = agent.pass(50)
  t.ok(heard.some(({ type }) => type === 'pong'))
  t.match(
    heard.findLast(({ type }) => type === 'ack'),
    { received: 64 * 62 + 63 * (16 + 16_384) + 16 + 10 },
  )
  t.notOk(agent.closed)
})
