import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { invite } from '@engawa/edge/identity/invitations'
import { endpoint } from '@engawa/shared/wire/opening'
import t from 'tap'
import { FakeAgent, gate } from '../support/gate.ts'
import { turns } from '../support/manual-clock.ts'

const opening = (service: number) =>
  ({
    service,
    portIndex: 0,
    protocol: 'http',
    visitor: endpoint('192.0.2.1', 5),
    public: endpoint('192.0.2.2', 80),
  }) as const

t.test('a login is welcomed with all it needs, its secret once', async (t) => {
  const { agent, keeper, store, clock } = gate(t)
  const home = agent('home')
  const { welcome } = await keeper.login(
    { key: home.key, instance: home.instance, maxStreams: 5000, credit: 16_384, software: 'x' },
    endpoint('203.0.113.7', 1),
  )
  t.match(welcome, {
    agent: 'home',
    session: /^[\w-]{22}$/,
    secret: /^[\w-]{43}$/,
    carrier: 1,
    generation: 1,
    graceMs: 120_000,
    maxStreams: 2048,
    lost: [],
    members: [{ addresses: ['example.com:443'] }],
  })
  const credentials = keeper.credentials(welcome.session)
  t.equal(credentials?.key, home.key)
  t.same(Buffer.from(credentials?.secret ?? []).toString('base64url'), welcome.secret)
  await clock.advance(1000)
  t.ok(store.agents.byName('home')?.seenAt, 'noted together with others')
  await home.login()
  await home.cut()
  await home.attach()
  t.throws(() => keeper.attach({ session: home.session, carrier: 1, lost: [], proof: '' }), { code: 'CARRIER_STALE' })
  t.throws(() => keeper.attach({ session: home.session, carrier: 2, lost: [], proof: '' }), { code: 'CARRIER_STALE' })
  t.throws(() => keeper.attach({ session: welcome.session, carrier: 2, lost: [], proof: '' }), {
    code: 'SESSION_UNKNOWN',
  })
})

t.test('whatever the clock says, an agent logs in and attaches [H3]', async (t) => {
  const { agent, keeper } = gate(t)
  const home = agent('home')
  const { now } = Date
  t.teardown(() => {
    Date.now = now
  })
  for (const time of ['1970-01-02T00:00:00Z', '2046-01-01T00:00:00Z', '1969-12-31T00:00:00Z']) {
    Date.now = () => Date.parse(time)
    await home.login()
    await home.cut()
    await home.attach()
    t.equal(keeper.sessions.length, 1, time)
  }
})

t.test('a stream of a visitor reaches the agent', async (t) => {
  const { agent, keeper } = gate(t)
  const home = await agent('home').login()
  const [link] = keeper.sessions
  link?.open(opening(3))
  await turns()
  t.equal(home.streams.length, 1)
  link?.summarize({
    type: 'request',
    service: 3,
    method: 'GET',
    path: '/',
    status: 200,
    ms: 1,
    received: 0,
    sent: 2,
    visitor: '',
  })
  await turns()
  t.match(home.messages, [{ type: 'request', status: 200 }])
  t.match(link, { agent: 'home', paused: false, remote: { address: '203.0.113.7' }, carriers: { length: 1 } })
})

t.test('a login of another instance takes over at once and owns everything [H9]', async (t) => {
  const { agent, registry, keeper, told, clock } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  const other = Object.assign(new FakeAgent({ keeper, clock }), { key: home.key })
  await other.login()
  await turns()
  t.match(home.ended, /^REPLACED by 203\.0\.113\.7, instance [\w-]{22}, in place of session [\w-]{22}$/)
  t.match(home.ended, new RegExp(`${other.instance}, in place of session ${home.session}`))
  t.equal(keeper.sessions.length, 1)
  t.equal(registry.byHost('blog.example.com', '/')?.live, undefined, 'a replaced session owns nothing')
  t.match(await other.bind({ name: 'blog', service: 9 }), { type: 'bound' })
  t.equal(registry.byHost('blog.example.com', '/')?.live?.service, 9)
  t.same(told, ['online home', 'open blog', 'closed blog', 'offline home REPLACED', 'online home', 'open blog'])
})

t.test('a login that yields ends nobody: it waits until the other has gone [H9]', async (t) => {
  const { agent, keeper, clock } = gate(t)
  const home = await agent('home').login()
  const other = Object.assign(new FakeAgent({ keeper, clock }), { key: home.key, yields: true })
  await t.rejects(other.login(), { code: 'REPLACED' })
  await home.cut()
  await t.rejects(other.login(), { code: 'REPLACED' }, 'away for a moment is not gone')
  t.equal(home.ended, undefined)
  await clock.advance(120_001)
  await other.login()
  t.equal(keeper.sessions.length, 1)
  await home.login()
  await turns()
  t.match(other.ended, /^REPLACED/)
})

t.test('a thousand take-overs in a row leave nothing of those that were replaced', async (t) => {
  const { agent, keeper, registry, clock } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  const before = clock.timers
  for (let count = 0; count < 1000; count++) {
    home.instance = String(count).padStart(22, 'A')
    await home.login()
    await home.bind({ name: 'blog' })
  }
  await turns()
  t.equal(keeper.sessions.length, 1)
  t.equal(clock.timers, before, 'timers')
  t.equal(registry.byHost('blog.example.com', '/')?.live?.link.session, home.session)
})

t.test('a login of the same instance ends its older session without REPLACED [H9]', async (t) => {
  const { agent, keeper } = gate(t)
  const home = await agent('home').login()
  const former = home.pump
  const first = home.session
  await home.login()
  await turns()
  t.ok(former?.session.ended)
  t.not(home.session, first)
  t.equal(keeper.credentials(first), undefined)
  t.equal(keeper.sessions.length, 1)
})

t.test('one agent’s take-over is none of the others’ business', async (t) => {
  const { agent, keeper } = gate(t)
  const agents = await Promise.all(Array.from({ length: 20 }, (_, n) => agent(`a${n}`).login()))
  for (const one of agents.slice(0, 10)) await one.login()
  t.equal(keeper.sessions.length, 20)
  t.equal(new Set(keeper.sessions.map(({ agentId }) => agentId)).size, 20)
})

t.test('revoking cuts off at once, frees names and ports, and lets nobody back [H7]', async (t) => {
  const { agent, keeper, ports, registry, told } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'ssh', protocol: 'tcp', port: [2222, 2222] })
  keeper.revoke('home')
  await turns()
  t.equal(home.ended, 'REVOKED revoked on the edge')
  t.same(ports, ['+2222-2222', '-2222-2222'])
  t.same(registry.all(), [])
  t.same(told.slice(-2), ['closed ssh', 'offline home REVOKED'])
  await t.rejects(home.login(), { code: 'REVOKED' })
  const villa = await agent('villa').login()
  t.match(await villa.bind({ name: 'ssh', protocol: 'tcp', port: [2222, 2222] }), { ports: [2222, 2222] })
  t.throws(() => keeper.revoke('none'), { code: 'AGENT_UNKNOWN' })
})

t.test('revoking cuts off and keeps out where the store cannot be written, and says so', async (t) => {
  const folder = t.testdir({})
  const { agent, keeper, ports, registry, store } = gate(t, { folder })
  const home = await agent('home').login()
  await home.bind({ name: 'ssh', protocol: 'tcp', port: [2222, 2222] })
  const disk = new DatabaseSync(join(folder, 'edge.db'))
  t.teardown(() => disk.close())
  disk.exec(`CREATE TRIGGER full BEFORE DELETE ON leases BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
  t.throws(() => keeper.revoke('home'), {
    code: 'STATE_UNWRITABLE',
    message: /home is cut off, but.*repeat/,
    ja: /もう一度/,
    cause: { message: /disk is full/ },
  })
  await turns()
  t.equal(home.ended, 'REVOKED revoked on the edge')
  t.same([ports.at(-1), registry.all()], ['-2222-2222', []])
  await t.rejects(home.login(), { code: 'REVOKED' })
  t.ok(store.agents.byName('home')?.key, 'nothing was written')
  disk.exec('DROP TRIGGER full')
  keeper.revoke('home')
  t.equal(store.agents.byName('home')?.key, undefined)
  await t.rejects(home.login(), { code: 'REVOKED' })
})

t.test('joining in another’s place ends its sessions; names pass on', async (t) => {
  const { agent, keeper, store, registry, clock } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  const { line } = invite(store, {
    name: 'home',
    expiresMs: 1e6,
    grant: undefined,
    addresses: ['a:1'],
    pin: new Uint8Array(32),
    now: Date.now(),
  })
  const heir = new FakeAgent({ keeper, clock })
  heir.join(line)
  heir.join(line)
  await turns()
  t.match(home.ended, /^REVOKED another machine has joined/)
  await t.rejects(home.login(), { code: 'REVOKED' })
  await heir.login()
  t.match(await heir.bind({ name: 'blog' }), { type: 'bound' })
  t.equal(registry.byHost('blog.example.com', '/')?.agent, 'home')
})

t.test('renaming acts on live sessions', async (t) => {
  const { agent, keeper, registry } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  t.equal(keeper.rename('home', 'Villa'), 'villa')
  t.equal(registry.byHost('blog.example.com', '/')?.agent, 'villa')
  t.equal(keeper.sessions[0]?.agent, 'villa')
})

t.test('an agent that leaves is answered, and forgotten', async (t) => {
  const { agent, store, registry } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  home.messages.length = 0
  await home.send({ type: 'leave', id: 5 })
  t.match(home.messages, [{ type: 'done', id: 5 }])
  t.match(home.ended, /^REVOKED/)
  t.same(store.agents.all(), [])
  t.same(registry.all(), [])
  await t.rejects(home.login(), { code: 'REVOKED' })
})

t.test('more than 400 messages at once end the session [E2]', async (t) => {
  const { agent, clock } = gate(t)
  const home = await agent('home').login()
  for (let n = 0; n < 400; n++) home.pump?.session.sendMessage(Buffer.from('{"type":"unbind","service":1}'))
  await turns(20)
  t.equal(home.ended, undefined)
  await clock.advance(1000)
  for (let n = 0; n < 201; n++) home.pump?.session.sendMessage(Buffer.from('{"type":"unbind","service":1}'))
  await turns(20)
  t.match(home.ended, /^MESSAGE_FLOOD/)
})

t.test('M9 summaries of requests are left out where they come faster than an agent takes them', async (t) => {
  const { agent, keeper, clock } = gate(t)
  const home = await agent('home').login()
  const [link] = keeper.sessions
  const summary = { service: 3, method: 'GET', path: '/', status: 200, ms: 1, received: 0, sent: 2, visitor: '' }
  const told = (): number => home.messages.filter(({ type }) => type === 'request').length
  for (let n = 0; n < 1000; n++) link?.summarize({ type: 'request', ...summary })
  await turns(20)
  t.equal(told(), 200)
  await clock.advance(500)
  for (let n = 0; n < 1000; n++) link?.summarize({ type: 'request', ...summary })
  await turns(20)
  t.equal(told(), 250)
  t.equal(home.ended, undefined)
})

t.test('a message that is none ends the session', async (t) => {
  const { agent } = gate(t)
  const home = await agent('home').login()
  home.pump?.session.sendMessage(Buffer.from('{"type":"bind"}'))
  await turns()
  t.match(home.ended, /^MESSAGE_INVALID/)
})

t.test('who guesses is told to wait; a valid agent of the same address gets in', async (t) => {
  const { agent, keeper, clock } = gate(t)
  const home = agent('home')
  const codes: string[] = []
  for (let n = 0; n < 12; n++) {
    const stranger = new FakeAgent({ keeper, clock })
    await stranger.login().catch((error: { code: string }) => codes.push(error.code))
  }
  t.same(codes, [...Array<string>(10).fill('AGENT_UNKNOWN'), 'TOO_MANY_ATTEMPTS', 'TOO_MANY_ATTEMPTS'])
  await home.login()
  t.equal(keeper.sessions.length, 1)
  const elsewhere = Object.assign(new FakeAgent({ keeper, clock }), { address: '2001:db8::1' })
  await t.rejects(elsewhere.login(), { code: 'AGENT_UNKNOWN' })
  await clock.advance(6000)
  await t.rejects(new FakeAgent({ keeper, clock }).login(), { code: 'AGENT_UNKNOWN' })
})

t.test('G2: who has been relieved answers no bind, takes no login and leaves the store alone', async (t) => {
  const { agent, keeper, registry, store, told } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  registry.retire()
  keeper.drain(2)
  await turns()
  t.match(home.messages.at(-1), { type: 'drain', to: 2 })
  const heard = home.messages.length
  await home.send({ type: 'bind', service: 9, name: 'shop', protocol: 'http', target: '8080' })
  await home.send({ type: 'unbind', service: 1 })
  t.equal(home.messages.length, heard, 'no answer')
  t.match(store.leases.all(), [{ name: 'blog', published: true }])
  await t.rejects(agent('other').login(), { code: 'EDGE_DRAINING' })

  told.length = 0
  keeper.heard({ news: 'login', agent: 1, instance: home.instance, address: '203.0.113.7' })
  t.equal(home.ended, undefined, 'the same instance comes in addition')
  await home.cut()
  t.same(told, [], 'it is where it went: nothing is told of its end here')
})

t.test('H9: a login of another instance in another generation ends the session here', async (t) => {
  const { agent, keeper } = gate(t)
  const home = await agent('home').login()
  keeper.heard({ news: 'login', agent: 1, instance: 'another', address: '203.0.113.9' })
  await turns()
  t.match(home.ended, /^REPLACED by 203\.0\.113\.9, instance another, in place of session/)
})

t.test(
  'G2: a login that asked the other generations meanwhile finds out that this one has been relieved',
  async (t) => {
    const asked = Promise.withResolvers<void>()
    const answers = Promise.withResolvers<never[]>()
    const others = {
      tell: () => {},
      ask: () => {
        asked.resolve()
        return answers.promise
      },
    }
    const { agent, registry, keeper } = gate(t, { others })
    const login = Object.assign(agent('home'), { yields: true }).login()
    await asked.promise
    registry.retire()
    answers.resolve([])
    await t.rejects(login, { code: 'EDGE_DRAINING' })
    t.equal(keeper.sessions.length, 0)
  },
)
