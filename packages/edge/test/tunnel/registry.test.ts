import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type Probe, probePorts } from '@engawa/edge/tunnel/probe'
import t from 'tap'
import { gate } from '../support/gate.ts'
import { freePort } from '../support/ports.ts'

t.test('a bound service is found by its host, and shown as contract.md says', async (t) => {
  const { agent, registry, told } = gate(t)
  const home = await agent('home').login()
  const bound = await home.bind({ name: 'Blog' })
  t.match(bound, {
    type: 'bound',
    service: 1,
    name: 'blog',
    public: 'https://blog.example.com',
    urls: ['https://blog.example.com', 'http://blog.example.com'],
    check: /^[\w-]{22}$/,
  })
  const tunnel = registry.byHost('blog.example.com', '/x')
  t.match(tunnel, { agent: 'home', protocol: 'http', target: '8080' })
  t.equal(tunnel?.live?.service, 1)
  t.equal(registry.byHost('other.example.com', '/'), undefined)
  t.equal(registry.bare(), undefined)
  const again = await home.bind({ name: 'blog' })
  t.match(again, { type: 'bound' })
  t.not((again as { check?: string }).check, (bound as { check?: string }).check)
  t.same(told, ['online home', 'open blog'], 'binding again opens nothing anew')
})

t.test('the same service bound by another name replaces the former binding [M1]', async (t) => {
  const { agent, registry, store, told } = gate(t)
  const home = await agent('home').login()
  await home.bind({ name: 'blog' })
  await home.bind({ name: 'shop' })
  t.equal(registry.byHost('blog.example.com', '/')?.live, undefined)
  t.equal(registry.byHost('shop.example.com', '/')?.live?.service, 1)
  t.same(told, ['online home', 'open blog', 'closed blog', 'open shop'])
  t.same(
    store.leases.all().map(({ name, published }) => [name, published]),
    [
      ['blog', false],
      ['shop', true],
    ],
  )
})

t.test('two agents: a taken name is refused by name, its holder stays unnamed', async (t) => {
  const { agent } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa').login()]
  await home.bind({ name: 'blog' })
  t.same(await villa.bind({ name: 'blog', service: 7 }), {
    type: 'refused',
    service: 7,
    code: 'NAME_TAKEN',
    message: 'the name blog is held by another agent',
  })
  t.match(await home.bind({ name: 'blog', service: 2 }), { code: 'NAME_TAKEN', message: /this agent’s target 8080/ })
})

t.test('a refusal fits into its message, however long a target it speaks of', async (t) => {
  const home = await gate(t).agent('home').login()
  await home.bind({ name: 'blog', target: `/${'x'.repeat(1023)}` })
  t.match(await home.bind({ name: 'blog', service: 2 }), { type: 'refused', code: 'NAME_TAKEN' })
})

const refusals: [what: string, bind: object, code: string][] = [
  ['a Host that would begin another field', { hostHeader: 'nas\r\nX-Forwarded-For: 1' }, 'FLAG_INVALID'],
  ['a name that is none', { name: 'a b' }, 'NAME_INVALID'],
  ['a reserved name', { name: 'wpad' }, 'NAME_NOT_ALLOWED'],
  ['a name outside the grant', { name: 'shop' }, 'NAME_NOT_ALLOWED'],
  ['a port outside the grant', { protocol: 'tcp', port: [5000, 5000], exact: true }, 'PORT_NOT_ALLOWED'],
  ['the edge’s own port', { protocol: 'tcp', port: [7400, 7400], exact: true }, 'PORT_NOT_ALLOWED'],
  ['an own domain without a grant', { hosts: ['www.bank.jp'] }, 'HOST_NOT_ALLOWED'],
  ['the edge’s domain itself', { hosts: ['example.com'] }, 'HOST_NOT_ALLOWED'],
  ['a name of the edge by its host', { hosts: ['shop.example.com'] }, 'NAME_NOT_ALLOWED'],
  ['a domain that is none', { hosts: ['10.0.0.1'] }, 'NAME_INVALID'],
  ['a domain for a port', { protocol: 'tcp', hosts: ['www.a.jp'] }, 'HOST_NOT_ALLOWED'],
  ['a path that climbs', { path: '/a/../b' }, 'FLAG_INVALID'],
  ['a path with a query', { path: '/a?b' }, 'FLAG_INVALID'],
]
t.test('a grant confines an agent', async (t) => {
  const { agent, registry } = gate(t)
  const ports: [number, number][] = [
    [6000, 6010],
    [7400, 7400],
  ]
  const home = await agent('home', { names: ['blog', 'blog-*'], ports, hosts: ['www.a.jp'] }).login()
  for (const [what, bind, code] of refusals) {
    t.match(await home.bind({ name: 'blog-1', ...bind }), { type: 'refused', code }, what)
  }
  t.same(registry.all(), [], 'a refused bind leaves nothing behind')
  const own = await home.bind({ name: 'blog', hosts: ['WWW.a.jp'] })
  t.match(own, { type: 'bound', public: 'https://www.a.jp' })
  t.equal((own as { urls?: string[] }).urls?.length, 4)
  t.equal(registry.byHost('www.a.jp', '/')?.name, 'blog')
  const ssh = await home.bind({ name: 'blog-22', service: 2, protocol: 'tcp', port: [22, 22] })
  const [port = 0] = (ssh as { ports?: number[] }).ports ?? []
  t.ok(port >= 6000 && port <= 6010, `${port}`)
})

t.test('paths share a host; the longest wins', async (t) => {
  const { agent, registry } = gate(t)
  const home = await agent('home', { hosts: ['www.a.jp'] }).login()
  const villa = await agent('villa', { hosts: ['www.a.jp'] }).login()
  await home.bind({ name: 'site', service: 1, hosts: ['www.a.jp'] })
  const api = await home.bind({ name: 'api', service: 2, hosts: ['www.a.jp'], path: '/api/' })
  t.match(api, { public: 'https://www.a.jp/api' })
  const at = ['/', '/api', '/api/x', '/apix', '/API'].map((path) => registry.byHost('www.a.jp', path)?.name)
  t.same(at, ['site', 'api', 'api', 'site', 'site'])
  const twice = await home.bind({ name: 'more', service: 3, hosts: ['www.a.jp'], path: '/api' })
  t.match(twice, { code: 'HOST_TAKEN', message: /tunnel api/ })
  const foreign = await villa.bind({ name: 'x', hosts: ['www.a.jp'], path: '/x' })
  t.match(foreign, { code: 'HOST_TAKEN', message: /another agent/ })
  t.match(await villa.bind({ name: 'y', hosts: ['site.example.com'] }), { code: 'NAME_TAKEN' })
  await home.bind({ name: 'z', service: 4, hosts: ['wide.example.com'] })
  t.match(await villa.bind({ name: 'wide' }), { code: 'NAME_TAKEN' }, 'a host is held as a name is')
})

t.test('ports close with rm and release; after rm the name is still held [M2]', async (t) => {
  const { agent, ports, registry, store } = gate(t)
  const home = await agent('home').login()
  const bound = await home.bind({ name: 'ssh', protocol: 'tcp', port: [2222, 2222] })
  t.match(bound, { public: 'example.com:2222', urls: ['example.com:2222'], ports: [2222, 2222] })
  t.equal(registry.byPort('tcp', 2222)?.name, 'ssh')
  t.equal(registry.byPort('udp', 2222), undefined)
  t.same(ports, ['+2222-2222'])
  await home.send({ type: 'unbind', service: 1 })
  t.same(ports, ['+2222-2222', '-2222-2222'])
  t.match(store.leases.all(), [{ name: 'ssh', published: false }])
  t.match(await home.bind({ name: 'ssh', protocol: 'tcp', port: [3333, 3333] }), { ports: [2222, 2222] }, 'had back')
  const moved = await home.bind({ name: 'ssh', protocol: 'tcp', port: [3333, 3333], exact: true })
  t.match(moved, { ports: [3333, 3333] })
  t.same(ports.slice(2), ['+2222-2222', '-2222-2222', '+3333-3333'])
  home.messages.length = 0
  await home.send({ type: 'release', id: 9, name: 'ssh' })
  t.match(home.messages, [
    { type: 'unbound', service: 1 },
    { type: 'done', id: 9 },
  ])
  t.equal(ports.at(-1), '-3333-3333')
  t.equal(registry.byPort('tcp', 3333), undefined)
  t.same(store.leases.all(), [])
  await home.send({ type: 'release', id: 10, name: 'ssh' })
  t.match(home.messages.at(-1), { type: 'failed', id: 10, code: 'NAME_UNKNOWN' })
})

t.test('names and ports per agent are limited', async (t) => {
  const { agent, clock } = gate(t, { config: 'limits: { perAgent: { names: 3, ports: 20 } }' })
  const home = await agent('home').login()
  for (let n = 0; n < 3; n++) await home.bind({ name: `n${n}`, service: n + 1 })
  t.match(await home.bind({ name: 'more', service: 9 }), { code: 'TUNNEL_LIMIT', message: /3 names/ })
  t.match(await home.bind({ name: 'n2', service: 3 }), { type: 'bound' }, 'what it holds it may have')
  await clock.advance(1000)
  const villa = await agent('villa').login()
  t.match(await villa.bind({ name: 'a', protocol: 'tcp', count: 15 }), { type: 'bound' })
  t.match(await villa.bind({ name: 'b', service: 2, protocol: 'tcp', count: 6 }), { code: 'TUNNEL_LIMIT' })
  t.match(await villa.bind({ name: 'b', service: 2, protocol: 'tcp', count: 5 }), { type: 'bound' })
})

t.test('a port that another program has is passed over, or refused when insisted on', async (t) => {
  const { agent } = gate(t, { probe: probePorts, flags: { bind: '127.0.0.1' } })
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const { port } = blocker.address() as AddressInfo
  const home = await agent('home').login()
  t.match(await home.bind({ name: 'a', protocol: 'tcp', port: [port, port], exact: true }), {
    code: 'PORT_UNAVAILABLE',
    message: new RegExp(`has port ${port}`),
  })
  const bound = await home.bind({ name: 'a', protocol: 'tcp', port: [port, port] })
  t.match(bound, { type: 'bound' })
  t.not((bound as { ports?: number[] }).ports?.[0], port)
})

t.test('with --domain localhost and a public host each HTTP tunnel has a port of its own', async (t) => {
  const face = { domain: 'localhost', host: '203.0.113.5', http: 8080, https: undefined, portPerHttp: true }
  const { agent, ports, registry } = gate(t, { flags: { domain: 'localhost' }, face })
  const home = await agent('home').login()
  const bound = await home.bind({ name: 'blog' })
  t.match(bound, { public: /^http:\/\/203\.0\.113\.5:2\d{4}$/, urls: { 1: 'http://blog.localhost:8080' } })
  await home.bind({ name: 'shop', service: 2 })
  t.equal(registry.bare()?.name, 'blog', 'the first one answers at the bare address')
  t.equal(ports.length, 2)
  const [port = 0] = (bound as { ports?: number[] }).ports ?? []
  t.match(registry.byPort('tcp', port), { protocol: 'http', name: 'blog' })
})

t.test('public is http where browsers do not trust the certificate; ports show unless usual', async (t) => {
  const https = {
    port: 8443,
    serves: (host: string) => host.endsWith('.localhost'),
    trusted: () => false,
    awaited: () => false,
  }
  const face = { domain: 'localhost', host: 'localhost', http: 8080, https }
  const { agent } = gate(t, { flags: { domain: 'localhost' }, face })
  const home = await agent('home', { hosts: ['www.a.jp'] }).login()
  t.match(await home.bind({ name: 'blog' }), {
    public: 'http://blog.localhost:8080',
    urls: ['http://blog.localhost:8080', 'https://blog.localhost:8443'],
  })
  t.match(await home.bind({ name: 'own', service: 2, hosts: ['www.a.jp'] }), {
    public: 'http://www.a.jp:8080',
    urls: ['http://www.a.jp:8080', 'http://own.localhost:8080', 'https://own.localhost:8443'],
  })
  t.match(await home.bind({ name: 'raw', service: 3, protocol: 'tls' }), { public: 'raw.localhost:8443' })
  const ssh = await home.bind({ name: 'ssh', service: 4, protocol: 'tcp', port: [2222, 2223] })
  t.match(ssh, { public: 'localhost:2222-2223' })
})

t.test('TCP and UDP ports are leased and probed apart from each other', async (t) => {
  const port = 25_000
  const probe: Probe = async (transport, _host, [from]) => (transport === 'udp' && from === port ? port : undefined)
  const { agent, ports, registry } = gate(t, { probe })
  const home = await agent('home').login()
  const udp = { name: 'udp', service: 2, protocol: 'udp', port: [port, port] } as const
  t.match(await home.bind({ ...udp, exact: true }), { code: 'PORT_UNAVAILABLE' })
  t.match(await home.bind({ name: 'tcp', protocol: 'tcp', port: [port, port], exact: true }), { ports: [port, port] })
  const bound = await home.bind(udp)
  t.match(bound, { type: 'bound', idleMs: 60_000 })
  const [elsewhere = 0] = (bound as { ports?: number[] }).ports ?? []
  t.not(elsewhere, port)
  t.match(registry.byPort('udp', elsewhere), { name: 'udp' })
  t.equal(registry.byPort('tcp', elsewhere), undefined)
  t.same(ports, [`+${port}-${port}`, `+${elsewhere}-${elsewhere}`])
})

t.test('a UDP port that another program has is found by trying', async (t) => {
  const port = await freePort()
  const blocker = createSocket('udp4').bind(port, '127.0.0.1')
  await once(blocker, 'listening')
  t.equal(await probePorts('udp', '127.0.0.1', [port, port]), port)
  t.equal(await probePorts('udp', '', [port, port]), port, 'also on one address only')
  await new Promise<void>((resolve) => blocker.close(resolve))
  t.equal(await probePorts('udp', '127.0.0.1', [port, port]), undefined)
})

t.test('a domain that is passed through unopened is one tunnel whole', async (t) => {
  const { agent } = gate(t)
  const home = await agent('home', { hosts: ['www.a.jp'] }).login()
  t.match(await home.bind({ name: 'raw', protocol: 'tls', hosts: ['www.a.jp'] }), { type: 'bound' })
  const other = { name: 'other', service: 2, protocol: 'tls', hosts: ['www.a.jp'] } as const
  t.match(await home.bind(other), { type: 'refused', code: 'HOST_TAKEN' })
  t.match(await home.bind({ name: 'raw', hosts: ['www.a.jp'], path: '/web' }), { type: 'bound' })
  t.match(await home.bind(other), { type: 'bound' })
})

t.test('an edge that starts again writes nothing when what it knows is bound once more', async (t) => {
  const folder = t.testdir({})
  const before = gate(t, { folder })
  await (await before.agent('home').login()).bind({ name: 'blog', hosts: [], allow: ['192.0.2.0/24'] })
  const { agent, store } = gate(t, { folder })
  store.leases.put = () => {
    throw new Error('a full disk would keep the agent out')
  }
  t.match(await (await agent('home').login()).bind({ name: 'blog', allow: ['192.0.2.0/24'] }), { type: 'bound' })
})
