import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { Agent, type AgentSettings } from '@engawa/agent/agent'
import type { ShownEvent } from '@engawa/agent/events'
import { needIdentity } from '@engawa/agent/identity'
import { joinEdge } from '@engawa/agent/join'
import type { Sight } from '@engawa/agent/network'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { SmallEdge } from './support/edge.ts'
import { temporaryFolder } from './support/folder.ts'
import { PATIENCE } from './support/patience.ts'

/** A piece of wire to the edge, which can be cut or fall silent. */
class Wire {
  readonly sockets: Set<Socket> = new Set()
  readonly #server: Server
  #isSilent = false

  private constructor(edge: SmallEdge) {
    this.#server = createServer((near) => {
      const far = connect(edge.port, '127.0.0.1')
      for (const socket of [near, far]) {
        this.sockets.add(socket)
        socket.on('error', () => {}).once('close', () => this.sockets.delete(socket))
      }
      if (this.#isSilent) return
      near.pipe(far).once('close', () => near.destroy())
      far.pipe(near).once('close', () => far.destroy())
    })
  }

  static async lay(t: Test, edge: SmallEdge, host: string): Promise<Wire> {
    const wire = new Wire(edge)
    wire.#server.listen(0, host)
    await once(wire.#server, 'listening')
    t.teardown(() => {
      wire.cut()
      wire.#server.close()
    })
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  silence(): void {
    this.#isSilent = true
    for (const socket of this.sockets) socket.unpipe().pause()
  }

  restore(): void {
    this.#isSilent = false
  }
}

interface Home {
  readonly edge: SmallEdge
  readonly agent: Agent
  readonly heard: ShownEvent[]
  readonly until: (event: ShownEvent['event'], from?: number) => Promise<ShownEvent>
  /** The families of its carriers, once so many stand. */
  readonly families: (count: number) => Promise<string[]>
}

/** An agent that knows its edge by these addresses. */
async function home(
  t: Test,
  edge: SmallEdge,
  addresses: string[],
  settings: Partial<AgentSettings> = {},
): Promise<Home> {
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  const identity = { ...needIdentity(folder), addresses }
  // No event tells of a carrier that stands again; the dialler's log does, in the turn in which it does.
  const stood = new EventEmitter<{ carrier: [] }>()
  const write = (line: string): void => void (line.includes('"a carrier stands"') && stood.emit('carrier'))
  const agent = new Agent({ folder, identity, log: pino({ level: 'info' }, { write }), ...settings })
  t.teardown(() => agent.end())
  const heard: ShownEvent[] = []
  const looks = new Set<() => void>()
  agent.join(
    {
      tell: (event) => {
        heard.push(event)
        for (const look of looks) look()
      },
    },
    [],
  )
  const until = (name: ShownEvent['event'], from = 0): Promise<ShownEvent> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = heard.slice(from).find(({ event }) => event === name)
        if (found === undefined) return
        looks.delete(look)
        resolve(found)
      }
      looks.add(look)
      look()
    })
  const families = async (count: number): Promise<string[]> => {
    for (;;) {
      const next = once(stood, 'carrier')
      // oxlint-disable-next-line no-await-in-loop -- one carrier after the other
      const { carriers } = await agent.status()
      if (carriers.length === count) return carriers.map(({ family }) => family ?? '').toSorted()
      // oxlint-disable-next-line no-await-in-loop -- one carrier after the other
      await next
    }
  }
  return { edge, agent, heard, until, families }
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

for (const carriers of [1, 2, 8]) {
  t.test(`${carriers} carriers are told when they all stand`, async (t) => {
    const edge = await SmallEdge.start(t)
    const { agent, until } = await home(t, edge, [`127.0.0.1:${edge.port}`], { carriers, greetingMs: 60_000 })
    agent.start()
    t.match(await until('connected'), { carriers })
    t.equal(edge.logins, 1)
    t.equal((await agent.status()).carriers.length, carriers)
  })
}

t.test('one carrier over IPv6 and one over IPv4', { skip: !hasIpv6 && 'no ::1 here' }, async (t) => {
  const edge = await SmallEdge.start(t)
  const v6 = await Wire.lay(t, edge, '::1')
  const v4 = await Wire.lay(t, edge, '127.0.0.1')
  const { agent, until, heard, families } = await home(t, edge, [`[::1]:${v6.port}`, `127.0.0.1:${v4.port}`], {
    greetingMs: 60_000,
  })
  agent.start()
  t.match(await until('connected'), { carriers: 2 })
  t.same(await families(2), ['IPv4', 'IPv6'])
  for (const wire of [v6, v4]) {
    const from = heard.length
    wire.cut()
    t.match(await until('carrier_lost', from), { left: 1 })
    t.same(await families(2), ['IPv4', 'IPv6'], 'the same family again')
  }
  t.equal(edge.logins, 1)
  t.notOk(heard.some(({ event }) => event === 'disconnected' || event === 'resumed'))
})

t.test('a family that leads nowhere: two of the other', async (t) => {
  const edge = await SmallEdge.start(t)
  const { agent, until, families } = await home(t, edge, ['[::1]:1', `127.0.0.1:${edge.port}`])
  agent.start()
  await until('connected')
  t.same(await families(2), ['IPv4', 'IPv4'])
})

t.test('a lost second carrier is dialled again and again, and the first goes on', async (t) => {
  const edge = await SmallEdge.start(t)
  const [first, second] = [await Wire.lay(t, edge, '127.0.0.1'), await Wire.lay(t, edge, '127.0.0.1')]
  const { agent, until, heard } = await home(t, edge, [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`], {
    greetingMs: 60_000,
  })
  agent.start()
  t.match(await until('connected'), { carriers: 2 })
  second.silence()
  second.cut()
  t.match(await until('carrier_lost'), { left: 1 })
  t.equal((await agent.status()).link, 'online')
  const again = once(edge, 'carrier')
  second.restore()
  await again
  t.notOk(heard.some(({ event }) => event === 'disconnected' || event === 'resumed'))
  t.equal(edge.logins, 1)
})

t.test('where packets vanish a new attempt notices soon that they arrive again', async (t) => {
  const edge = await SmallEdge.start(t)
  const wire = await Wire.lay(t, edge, '127.0.0.1')
  const { agent, until } = await home(t, edge, [`127.0.0.1:${wire.port}`])
  agent.start()
  await until('connected')
  wire.silence()
  agent.status().catch(() => {})
  const before = edge.attaches
  await new Promise((resolve) => setTimeout(resolve, 4000))
  t.equal(edge.attaches, before)
  const backAt = performance.now()
  wire.restore()
  await once(edge, 'carrier')
  const tookMs = performance.now() - backAt
  t.ok(tookMs < 2000 * PATIENCE, `${Math.round(tookMs)} ms`)
  t.comment(`a new carrier ${Math.round(tookMs)} ms after the path was back`)
})

t.test('a carrier that is lost before the others stand: connected, and then lost', async (t) => {
  const edge = await SmallEdge.start(t)
  const wire = await Wire.lay(t, edge, '127.0.0.1')
  const { agent, until, heard } = await home(t, edge, [`127.0.0.1:${wire.port}`], { carriers: 8 })
  agent.start()
  await agent.whenUp()
  wire.cut()
  await until('carrier_lost')
  const [first, second] = heard
  t.ok(first?.event === 'connected' && first.carriers >= 1, JSON.stringify(first))
  t.equal(second?.event, 'carrier_lost')
})

t.test('status asks: a carrier that has just died silently is not told as alive', async (t) => {
  const edge = await SmallEdge.start(t)
  const wire = await Wire.lay(t, edge, '127.0.0.1')
  const { agent, until } = await home(t, edge, [`127.0.0.1:${wire.port}`], { greetingMs: 60_000 })
  agent.start()
  await until('connected')
  const alive = await agent.status()
  t.match(alive, { link: 'online', carriers: [{ family: 'IPv4', suspect: false, resent_bytes: 0 }, {}] })
  for (const { heard_ms } of alive.carriers) t.ok(heard_ms < 1000 * PATIENCE, `heard ${heard_ms} ms ago`)
  wire.silence()
  const askedAt = performance.now()
  const dead = await agent.status()
  t.ok(performance.now() - askedAt < 1000 * PATIENCE + 1000, 'and does not wait for long')
  t.not(dead.link, 'online')
})

const own = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address
const lonely = own === undefined && 'no address but loopback here'

t.test(
  'an address that a carrier comes from is gone: given up at once, another dialled',
  { skip: lonely },
  async (t) => {
    if (own === undefined) return
    const edge = await SmallEdge.start(t)
    const wire = await Wire.lay(t, edge, own)
    const present = ['127.0.0.1', own]
    let gateway = 'eth0'
    const sight: Sight = {
      addresses: () => present,
      defaultRoutes: () => gateway,
      wall: () => 0,
      monotonic: () => 0,
    }
    const { agent, until, heard } = await home(t, edge, [`${own}:${wire.port}`], { sight })
    agent.start()
    await until('connected')
    gateway = 'wlan0'
    await new Promise((resolve) => setTimeout(resolve, 1500))
    t.notOk(
      heard.some(({ event }) => event === 'carrier_lost'),
      'another route: asked, not cut',
    )
    const { attaches } = edge
    present.pop()
    await until('carrier_lost')
    while (edge.attaches < attaches + 2) await once(edge, 'carrier')
    t.equal(edge.logins, 1)
  },
)
