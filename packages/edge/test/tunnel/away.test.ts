import { join } from 'node:path'
import { NO_RULES } from '@engawa/edge/guard/rules'
import { openStore } from '@engawa/edge/store/store'
import type { Tunnel } from '@engawa/edge/tunnel/tunnel'
import { NOWHERE } from '@engawa/shared/wire/opening'
import t from 'tap'
import { type Gate, gate } from '../support/gate.ts'
import { turns } from '../support/manual-clock.ts'

const YOUNG_MS = 30_000
const GRACE_MS = 120_000

function find({ registry }: Gate, name = 'blog'): Tunnel {
  const tunnel = registry.all().find((one) => one.name === name)
  if (tunnel === undefined) throw new Error(`no tunnel ${name}`)
  return tunnel
}

/** `live`, or the code of the refusal; `waiting` so far. */
function watched(waiting: Promise<unknown>): { now: string } {
  const state = { now: 'waiting' }
  const note = (outcome: string): void => {
    state.now = outcome
  }
  void waiting.then(
    () => note('live'),
    (error: { code: string }) => note(error.code),
  )
  return state
}

t.test('a visitor waits for an agent that lost its carrier, and goes on when it is back', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  await edge.clock.advance(YOUNG_MS + 1)
  const tunnel = find(edge)
  const [link] = edge.keeper.sessions
  const pauses: boolean[] = []
  link?.onPause((paused) => pauses.push(paused))
  await home.cut()
  t.equal(tunnel.live, undefined)
  const visitor = watched(edge.registry.whenLive(tunnel))
  await edge.clock.advance(9_000)
  t.equal(visitor.now, 'waiting')
  await home.attach()
  t.equal(visitor.now, 'live')
  t.same(pauses, [true, false])
  t.ok(tunnel.live)
  t.same(edge.told, ['online home', 'open blog', 'offline home CARRIER_LOST', 'resumed home'])
})

t.test('a session is gone once the grace has passed without a carrier [R10]', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  await home.cut()
  await edge.clock.advance(GRACE_MS - 1000)
  t.equal(edge.keeper.sessions.length, 1)
  await edge.clock.advance(2000)
  t.equal(edge.keeper.sessions.length, 0)
  await t.rejects(home.attach(), { code: 'SESSION_UNKNOWN' })
  t.same(edge.told.slice(2), ['offline home CARRIER_LOST', 'closed blog'])
})

t.test('nobody waits longer than 10 s, nor for an agent without hope', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  const tunnel = find(edge)
  await edge.clock.advance(YOUNG_MS + 1)
  await home.cut()
  const visitor = watched(edge.registry.whenLive(tunnel))
  await edge.clock.advance(10_000)
  t.equal(visitor.now, 'AGENT_AWAY')
  const gone = new AbortController()
  const cancelled = watched(edge.registry.whenLive(tunnel, { signal: gone.signal }))
  gone.abort()
  await turns()
  t.equal(cancelled.now, 'CANCELLED')
  await edge.clock.advance(GRACE_MS - 10_000)
  const late = watched(edge.registry.whenLive(tunnel))
  await turns()
  t.equal(late.now, 'AGENT_AWAY', 'at once')
})

t.test('those who wait are 1,000 at most, with 16 MiB', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  await home.cut()
  const tunnel = find(edge)
  const most = 16 * 2 ** 20
  const big = watched(edge.registry.whenLive(tunnel, { bytes: most }))
  const tooMuch = watched(edge.registry.whenLive(tunnel, { bytes: 1 }))
  const small = Array.from({ length: 999 }, () => watched(edge.registry.whenLive(tunnel)))
  const tooMany = watched(edge.registry.whenLive(tunnel))
  await turns()
  t.same([big.now, tooMuch.now, tooMany.now], ['waiting', 'AGENT_AWAY', 'AGENT_AWAY'])
  await home.attach()
  t.equal(big.now, 'live')
  t.ok(small.every(({ now }) => now === 'live'))
  await home.cut()
  const room = watched(edge.registry.whenLive(tunnel, { bytes: most }))
  await home.attach()
  t.equal(room.now, 'live', 'the room is given back')
})

t.test('who waits for a tunnel that is released is told at once', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  const tunnel = find(edge)
  await home.cut()
  const visitor = watched(edge.registry.whenLive(tunnel))
  edge.keeper.revoke('home')
  await turns()
  t.equal(visitor.now, 'AGENT_AWAY')
  await t.rejects(edge.registry.whenLive(tunnel), { code: 'AGENT_AWAY' })
})

t.test('a young edge waits for agents that it has not seen yet, and listens on their ports', async (t) => {
  const folder = t.testdir({})
  const store = openStore(join(folder, 'edge.db'))
  store.agents.add({ name: 'home', key: Buffer.alloc(32), grant: { hosts: [] }, now: 0 })
  const lease = {
    agent: 1,
    hosts: [],
    path: undefined,
    target: '',
    bare: false,
    balance: false,
    published: true,
    rules: NO_RULES,
  } as const
  store.leases.put({ ...lease, name: 'blog', protocol: 'http', ports: undefined }, 0)
  store.leases.put({ ...lease, name: 'ssh', protocol: 'tcp', ports: [2222, 2223] }, 0)
  store.leases.put(
    { ...lease, name: 'off', protocol: 'tcp', ports: [3333, 3333], bare: false, balance: false, published: false },
    0,
  )
  store.close()
  const edge = gate(t, { folder })
  t.same(edge.ports, ['+2222-2223'], 'what was taken off stays so')
  const visitor = watched(edge.registry.whenLive(find(edge)))
  await edge.clock.advance(9_999)
  t.equal(visitor.now, 'waiting')
  await edge.clock.advance(YOUNG_MS)
  const late = watched(edge.registry.whenLive(find(edge)))
  await turns()
  t.same([visitor.now, late.now], ['AGENT_AWAY', 'AGENT_AWAY'])
  await edge.clock.advance(GRACE_MS - YOUNG_MS - 10_000)
  t.same(edge.ports, ['+2222-2223'])
  await edge.clock.advance(1000)
  t.same(edge.ports, ['+2222-2223', '-2222-2223'], 'closed when the grace has passed')
})

t.test('ports close within 1 s after the grace has passed without the agent', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'ssh', protocol: 'tcp', port: [2222, 2222] })
  await home.cut()
  await edge.clock.advance(GRACE_MS - 1000)
  t.same(edge.ports, ['+2222-2222'])
  await edge.clock.advance(2000)
  t.same(edge.ports, ['+2222-2222', '-2222-2222'])
  await home.login()
  t.match(await home.bind({ name: 'ssh', protocol: 'tcp' }), { ports: [2222, 2222] })
  t.equal(edge.ports.at(-1), '+2222-2222')
  home.pump?.end('SESSION_CLOSED')
  await turns()
  await edge.clock.advance(GRACE_MS - 1000)
  t.equal(edge.ports.at(-1), '+2222-2222', 'an agent that ended may be back within the grace')
  await edge.clock.advance(1000)
  t.equal(edge.ports.at(-1), '-2222-2222')
})

t.test('an agent that drains gets no new stream; its visitors wait for the next', async (t) => {
  const edge = gate(t)
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  const tunnel = find(edge)
  const { live } = tunnel
  await home.send({ type: 'drain' })
  t.equal(tunnel.live, undefined)
  const opening = { service: 1, portIndex: 0, protocol: 'http', visitor: NOWHERE, public: NOWHERE } as const
  t.throws(() => live?.link.open(opening), { code: 'AGENT_DRAINING' })
  const visitor = watched(edge.registry.whenLive(tunnel))
  await home.login()
  await home.bind({ name: 'blog' })
  t.equal(visitor.now, 'live')
})
