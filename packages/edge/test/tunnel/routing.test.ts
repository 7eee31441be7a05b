import { isPassed, rewritten } from '@engawa/edge/route/route'
import type { Registry } from '@engawa/edge/tunnel/registry'
import t from 'tap'
import { gate } from '../support/gate.ts'

t.test('a wildcard name leads one label below; a name of its own comes first', async (t) => {
  const { agent, registry } = gate(t)
  const home = await agent('home').login()
  await home.bind({ service: 1, name: '*.lab' })
  await home.bind({ service: 2, name: 'web', hosts: ['www.lab.example.com'] })
  const named = (host: string): string | undefined => registry.byHost(host, '/')?.name
  t.equal(named('x.lab.example.com'), '*.lab')
  t.equal(named('y.lab.example.com'), '*.lab')
  t.equal(named('x.y.lab.example.com'), undefined)
  t.equal(named('lab.example.com'), undefined)
  t.equal(named('example.com'), undefined)
})

t.test('whoever holds lab holds *.lab, and nobody holds all names', async (t) => {
  const { agent } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa').login()]
  await home.bind({ service: 1, name: '*.lab' })
  t.match(await villa.bind({ service: 1, name: 'lab' }), { code: 'NAME_TAKEN' })
  t.match(await home.bind({ service: 2, name: 'lab' }), { type: 'bound' })
  t.match(await villa.bind({ service: 2, name: '*.lab' }), { code: 'NAME_TAKEN' })
  t.match(await villa.bind({ service: 3, name: 'x', hosts: ['*.lab.example.com'] }), { code: 'NAME_TAKEN' })
  t.match(await villa.bind({ service: 4, name: 'y', hosts: ['*.example.com'] }), { code: 'HOST_NOT_ALLOWED' })
  t.match(await villa.bind({ service: 5, name: '*.edge' }), { code: 'NAME_NOT_ALLOWED' })
})

t.test('of path prefixes the longest wins', async (t) => {
  const { agent, registry } = gate(t)
  const home = await agent('home').login()
  await home.bind({ service: 1, name: 'web' })
  await home.bind({ service: 2, name: 'api', hosts: ['web.example.com'], path: '/api' })
  await home.bind({ service: 3, name: 'new', hosts: ['web.example.com'], path: '/api/v2' })
  const led = (path: string): string | undefined => registry.byHost('web.example.com', path)?.name
  t.same(['/', '/api', '/api/x', '/apix', '/api/v2', '/api/v2/x', '/api/v20'].map(led), [
    'web',
    'api',
    'api',
    'web',
    'new',
    'new',
    'api',
  ])
})

t.test('the bare address leads to the tunnel that was chosen for it, of the agent that was first', async (t) => {
  const { agent, registry } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa').login()]
  t.equal(registry.bare(), undefined)
  t.match(await home.bind({ service: 1, name: 'web', bare: true }), {
    urls: [/^https:\/\/example\.com/, /^http:\/\/example\.com/, /web/, /web/],
  })
  t.equal(registry.bare()?.name, 'web')
  t.match(await villa.bind({ service: 1, name: 'shop', bare: true }), { code: 'HOST_TAKEN' })
  await home.bind({ service: 2, name: 'new', bare: true })
  t.equal(registry.bare()?.name, 'new', 'within one agent it moves')
  await home.bind({ service: 2, name: 'new' })
  t.equal(registry.bare(), undefined)
  t.match(await villa.bind({ service: 1, name: 'shop', bare: true }), { type: 'bound' })
})

t.test('an invitation for names alone does not allow the bare address', async (t) => {
  const { agent } = gate(t)
  const home = await agent('home', { names: ['web'], hosts: [] }).login()
  t.match(await home.bind({ service: 1, name: 'web', bare: true }), { code: 'HOST_NOT_ALLOWED' })
  const villa = await agent('villa', { names: ['shop'], hosts: ['example.com'] }).login()
  t.match(await villa.bind({ service: 1, name: 'shop', bare: true }), { type: 'bound' })
})

t.test('beside TLS passed through, plain HTTP of the same name may go to another tunnel of its agent', async (t) => {
  const { agent, registry } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa').login()]
  await home.bind({ service: 1, name: 'nas', protocol: 'tls' })
  t.equal(registry.byHost('nas.example.com', '/')?.name, 'nas')
  t.match(await villa.bind({ service: 1, name: 'a', hosts: ['nas.example.com'] }), { code: 'NAME_TAKEN' })
  t.match(await home.bind({ service: 2, name: 'nas-80', hosts: ['nas.example.com'] }), { type: 'bound' })
  t.equal(registry.byHost('nas.example.com', '/.well-known/acme-challenge/x')?.name, 'nas-80')
  t.same(
    registry
      .named('nas.example.com')
      .map(({ name }) => name)
      .toSorted(),
    ['nas', 'nas-80'],
  )
  t.match(await home.bind({ service: 3, name: 'b', protocol: 'tls', hosts: ['nas.example.com'] }), {
    code: 'HOST_TAKEN',
  })
})

t.test('who is shown http is told that https is to come, and again when it is there [M4]', async (t) => {
  let there = false
  const https = {
    port: 443,
    serves: () => there,
    trusted: () => there,
    awaited: (host: string) => !there && host === 'www.shop.jp',
  }
  const { agent, registry } = gate(t, { face: { https } })
  const home = await agent('home', { hosts: ['www.shop.jp'] }).login()
  t.match(await home.bind({ service: 1, name: 'shop', hosts: ['www.shop.jp'] }), {
    public: 'http://www.shop.jp',
    awaitsCertificate: true,
  })
  const other = await home.bind({ service: 2, name: 'blog' })
  t.notOk('awaitsCertificate' in other, 'the one that is shown counts')
  there = true
  home.messages.length = 0
  registry.retell()
  await home.send({ type: 'release', id: 1, name: 'nothing' })
  const again = home.messages.find((message) => message.type === 'bound' && message.service === 1)
  t.match(again, { public: 'https://www.shop.jp' })
  t.notOk('awaitsCertificate' in (again ?? {}))
})

t.test('who had HTTPS from the edge is told that it is passed through now', async (t) => {
  const table: { registry?: Registry } = {}
  const serves = (host: string): boolean => table.registry === undefined || !isPassed(table.registry, host)
  const { agent, registry } = gate(t, { face: { https: { port: 443, serves, trusted: serves, awaited: () => false } } })
  table.registry = registry
  const home = await agent('home').login()
  t.match(await home.bind({ service: 1, name: 'nas-80', hosts: ['nas.example.com'] }), {
    public: 'https://nas.example.com',
  })
  await home.bind({ service: 2, name: 'nas', protocol: 'tls' })
  t.match(
    home.messages.find((message) => message.type === 'bound' && message.service === 1),
    { public: 'http://nas.example.com' },
  )
})

function asked(target: string, path: string | undefined, strip: boolean, prefix: string): string {
  return rewritten(target, { path, rewrite: { strip, prefix } })
}

t.test('a path is taken off, and that of the target put before what is left [M5]', async (t) => {
  t.equal(asked('/api/x?y=/api', '/api', true, ''), '/x?y=/api')
  t.equal(asked('/api', '/api', true, ''), '/')
  t.equal(asked('/api?x', '/api', true, ''), '/?x')
  t.equal(asked('/api/x', '/api', false, ''), '/api/x')
  t.equal(asked('/x', undefined, false, '/base'), '/base/x')
  t.equal(asked('/', undefined, false, '/base'), '/base/')
  t.equal(asked('/api?x', '/api', true, '/base'), '/base/?x')
  t.equal(asked('*', undefined, false, '/base'), '*')
  const { agent } = gate(t)
  const home = await agent('home').login()
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const prefix of ['base', '/a/../b', '/a//b', '/a?b', '/a b', '/a\r\nX: y'])
    t.match(await home.bind({ service: 1, name: 'web', prefix }), { code: 'FLAG_INVALID' }, prefix)
})

t.test('names in other scripts are punycode', async (t) => {
  const { agent, registry } = gate(t)
  const home = await agent('home', { hosts: ['*.xn--r8jz45g.jp'] }).login()
  t.match(await home.bind({ service: 1, name: '縁側', hosts: ['WWW.例え.jp'] }), { name: /^xn--/ })
  t.match(registry.all()[0]?.hosts, [/^xn--[a-z0-9]+\.example\.com$/, 'www.xn--r8jz45g.jp'])
  t.equal(registry.byHost('www.xn--r8jz45g.jp', '/')?.protocol, 'http')
})

t.test('several behind one name take turns; who is away or not well is left out [M6]', async (t) => {
  const { agent, registry } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa', { names: ['web'], hosts: [] }).login()]
  const stranger = await agent('stranger').login()
  t.match(await home.bind({ service: 1, name: 'web', balance: true, target: 'a' }), { type: 'bound', name: 'web' })
  t.match(await home.bind({ service: 2, name: 'web', balance: true, target: 'b' }), { type: 'bound', name: 'web' })
  t.match(await stranger.bind({ service: 1, name: 'web', balance: true }), {
    code: 'NAME_TAKEN',
    message: /--names web/,
  })
  t.match(await villa.bind({ service: 1, name: 'web' }), { code: 'NAME_TAKEN' })
  t.match(await villa.bind({ service: 1, name: 'web', balance: true, target: 'c' }), { type: 'bound', name: 'web' })
  const turns = (): string[] => Array.from({ length: 6 }, () => registry.byHost('web.example.com', '/')?.target ?? '')
  t.same(turns().toSorted(), ['a', 'a', 'b', 'b', 'c', 'c'])
  const [first] = registry.all()
  if (first === undefined) throw new Error('no tunnel')
  first.well = false
  t.notOk(turns().includes('a'))
  first.well = true
  t.equal(registry.another(first, new Set(registry.all())), undefined)
  t.not(registry.another(first, new Set([first]))?.target, 'a')
  await home.bind({ service: 1, name: 'web', balance: true, target: 'a' })
  t.equal(registry.all().length, 3, 'who binds again has the same place')
})

t.test('a name that is not shared stays so', async (t) => {
  const { agent } = gate(t)
  const [home, villa] = [await agent('home').login(), await agent('villa', { names: ['web'], hosts: [] }).login()]
  await home.bind({ service: 1, name: 'web' })
  t.match(await villa.bind({ service: 1, name: 'web', balance: true }), { code: 'NAME_TAKEN' })
  t.match(await home.bind({ service: 2, name: 'api', balance: true, health: 'ping' }), { code: 'FLAG_INVALID' })
})

t.test('those that share a name have each a port where every HTTP tunnel has one', async (t) => {
  const face = { domain: 'localhost', host: '203.0.113.5', http: 8080, https: undefined, portPerHttp: true }
  const { agent, registry } = gate(t, { flags: { domain: 'localhost' }, face })
  const home = await agent('home', { hosts: [], names: ['web'] }).login()
  const ports: unknown[] = []
  for (const service of [1, 2, 3]) {
    const bound = await home.bind({ service, name: 'web', balance: true, target: `127.0.0.1:${8080 + service}` })
    t.match(bound, { type: 'bound', name: 'web' })
    ports.push('ports' in bound && String(bound.ports))
  }
  t.equal(new Set(ports).size, 3)
  t.equal(registry.all().length, 3)
})
