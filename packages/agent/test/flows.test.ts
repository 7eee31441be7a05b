import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Flows } from '@engawa/agent/flows'
import type { Published } from '@engawa/agent/tunnels'
import { parseWish } from '@engawa/agent/wish'
import { encodeOpening, NOWHERE } from '@engawa/shared/wire/opening'
import t, { type Test } from 'tap'

function published(target: string, over: Partial<Published> = {}): Published {
  return {
    service: 1,
    owner: { tell: () => {} },
    wish: parseWish({ target }),
    name: 'game',
    state: 'bound',
    bound: undefined,
    traffic: { total: 0, open: 0, received: 0, sent: 0, dropped: 0 },
    ...over,
  }
}

function open(service = 1, portIndex = 0): Uint8Array {
  return encodeOpening({ service, portIndex, protocol: 'udp', visitor: NOWHERE, public: NOWHERE })
}

interface Bench {
  readonly flows: Flows
  readonly closed: number[]
  readonly tried: (string | undefined)[]
  /** The next answer, `FLOW: TEXT`. */
  readonly answer: () => Promise<string>
}

function bench(t: Test, one: Published): Bench {
  const closed: number[] = []
  const tried: (string | undefined)[] = []
  const answers: string[] = []
  const waiting: (() => void)[] = []
  const wake = (): void => {
    for (const look of waiting.splice(0)) look()
  }
  const flows = new Flows({
    find: (service) => (service === one.service ? one : undefined),
    send: (flow, bytes) => {
      answers.push(`${flow}: ${Buffer.from(bytes).toString()}`)
      wake()
      return true
    },
    close: (flow) => closed.push(flow),
    onTried: (_, failure) => {
      tried.push(failure)
      wake()
    },
  })
  t.teardown(() => flows.close())
  return {
    flows,
    closed,
    tried,
    answer: async () => {
      while (answers.length === 0) await new Promise<void>((resolve) => waiting.push(resolve))
      return answers.shift() ?? ''
    },
  }
}

/** Answers with the sender's port, a blank and what it said. */
async function service(t: Test): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  socket.on('message', (bytes, { port, address }) => socket.send(`${port} ${bytes.toString()}`, port, address))
  t.teardown(() => socket.close())
  return socket.address().port
}

t.test('each flow has a socket of its own and keeps it', async (t) => {
  const one = published(`udp://${await service(t)}`)
  const { flows, answer } = bench(t, one)
  const ports: string[] = []
  for (const flow of [7, 8, 7]) {
    flows.received(flow, open(), Buffer.from('hi'))
    const [, of, port, said] = /^(\d+): (\d+) (.*)$/.exec(await answer()) ?? []
    t.same([of, said], [String(flow), 'hi'])
    ports.push(port ?? '')
  }
  t.equal(ports[0], ports[2])
  t.not(ports[0], ports[1])
  t.match(one.traffic, { total: 2, open: 2, received: 6, dropped: 0 })
  flows.closed(7)
  t.equal(one.traffic.open, 1)
})

t.test('what comes while a name is looked up is not lost, and in order', async (t) => {
  const { flows, answer } = bench(t, published(`udp://localhost:${await service(t)}`))
  for (const text of ['a', 'b', 'c']) flows.received(7, text === 'a' ? open() : undefined, Buffer.from(text))
  const said = [await answer(), await answer(), await answer()].map((text) => text.at(-1))
  t.same(said, ['a', 'b', 'c'])
})

t.test('what names no UDP service of ours reaches nothing', async (t) => {
  const { flows, closed } = bench(t, published('udp://10000-10001'))
  flows.received(1, open(9), Buffer.from('x'))
  flows.received(2, open(1, 2), Buffer.from('x'))
  flows.received(3, undefined, Buffer.from('x'))
  flows.received(4, Buffer.alloc(46), Buffer.from('x'))
  const tcp = bench(t, published('tcp://22'))
  tcp.flows.received(5, open(), Buffer.from('x'))
  const refused = bench(t, published('udp://53', { state: 'refused' }))
  refused.flows.received(6, open(), Buffer.from('x'))
  t.same([...closed, ...tcp.closed, ...refused.closed], [1, 2, 3, 4, 5, 6])
  t.equal(flows.size, 0)
})

t.test('a port where nothing listens is told, and tried again with the next datagram', async (t) => {
  const { flows, tried } = bench(t, published('udp://1'))
  flows.received(7, open(), Buffer.from('x'))
  while (tried.length === 0) await new Promise(setImmediate)
  t.equal(tried[0], 'SERVICE_REFUSED')
  t.equal(flows.size, 1)
})

t.test('a link-local address behind a UDP target is not reached', async (t) => {
  const { flows, tried } = bench(t, published('udp://169.254.169.254:53'))
  flows.received(7, open(), Buffer.from('x'))
  while (tried.length === 0) await new Promise(setImmediate)
  t.equal(tried[0], 'REACH_DENIED')
})

t.test(
  'a service that no socket can be connected to: what comes is dropped and counted, and nothing stays open',
  async (t) => {
    // Linux lets no one connect to a broadcast address without asking for it.
    const one = published('udp://127.255.255.255:9')
    const { flows, tried } = bench(t, one)
    flows.received(1, open(), Buffer.from('early'))
    while (tried.length === 0) await new Promise(setImmediate)
    t.same(
      tried.map((code) => code !== undefined),
      [true],
    )
    const before = one.traffic.dropped
    t.doesNotThrow(() => flows.received(1, undefined, Buffer.from('late')))
    t.equal(one.traffic.dropped, before + 1)
    t.notOk(process.getActiveResourcesInfo().includes('UDPWrap'), 'its socket is closed')
  },
)
