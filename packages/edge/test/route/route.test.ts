import { createServer } from 'node:http'
import { climbs } from '@engawa/edge/route/route'
import t from 'tap'
import { AddressRules } from '../../src/guard/rules.ts'
import { startTcpPorts } from '../../src/listen/tcp.ts'
import { listen, makeAdmission, smallEdge, talk } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'
import { FakeTable, fakeTunnel } from '../support/fake-table.ts'
import { freePort } from '../support/ports.ts'

const CLIMBING = [
  '/api/../admin',
  '/api/..',
  '/api/%2e%2E/admin',
  '/api/.%2e/admin',
  '/api/x/..%2f..%2fadmin',
  '/api%2F..%2Fadmin',
  '/api/..%5cadmin',
  '/api\\..\\admin',
  '/api/..;/admin',
  '/api/..%3bx=1/admin',
]
const STAYING = [
  '/api',
  '/api/...',
  '/api/..x/y',
  '/api/a..b',
  '/api/x..',
  '/api/.well-known/x',
  '/api/./x',
  '/api/%2e.x',
]

t.test('what a service may take for the way up, and what not', async (t) => {
  for (const path of CLIMBING) t.equal(climbs(path), true, path)
  for (const path of STAYING) t.equal(climbs(path), false, path)
})

const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n`

t.test('no request leaves the path that a tunnel or its target is for', async (t) => {
  const { port, tunnel } = await smallEdge(t, (request, response) => response.end(`service ${request.url}`))
  t.match(await talk(port, ask('/api/../admin')), 'service /api/../admin', 'the whole of it is published')
  for (const part of [{ path: '/api' }, { rewrite: { strip: false, prefix: '/base' } }]) {
    Object.assign(tunnel, { path: undefined, rewrite: { strip: false, prefix: '' } }, part)
    // oxlint-disable-next-line no-await-in-loop -- each asks another tunnel
    for (const path of CLIMBING) t.match(await talk(port, ask(path)), /^HTTP\/1.1 40[04] /, path)
    t.match(await talk(port, ask('/api/x?to=/../y')), /service (?:\/base)?\/api\/x\?to=/)
  }
})

t.test('the rules of a path are not passed by in disguise', async (t) => {
  const { port, table, tunnel } = await smallEdge(t, (request, response) => response.end(`service ${request.url}`))
  const { live } = tunnel
  const admin = fakeTunnel({ name: 'admin', hosts: tunnel.hosts, path: '/admin', live })
  admin.rules = new AddressRules({ allow: ['203.0.113.0/24'], deny: [] })
  table.tunnels.unshift(admin)
  t.match(await talk(port, ask('/admin/x')), /^HTTP\/1.1 403 /)
  const disguises = [
    '/%61dmin/x',
    '//admin',
    '/x/../admin',
    '/./admin',
    '/admin;x',
    '/%2fadmin',
    '/\\admin',
    '/%2e/admin%2fx',
  ]
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const path of disguises) t.match(await talk(port, ask(path)), /^HTTP\/1.1 40[03] /, path)
  const odd = ['/@admin', '/caf%C3%A9', '/a+(b)'].map((path) =>
    Object.assign(fakeTunnel({ name: 'odd', hosts: tunnel.hosts, path, live }), { rules: admin.rules }),
  )
  table.tunnels.unshift(...odd)
  const spelled = ['/@admin', '/%40admin', '/caf%C3%A9/x', '/caf%c3%a9/x', '/a%2B%28b%29', '/a+%28b)']
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const path of spelled) t.match(await talk(port, ask(path)), /^HTTP\/1.1 40[03] /, path)
  const others = ['/', '/x/admin', '/%E7%B8%81', '/a%2Fb', '/x//y', '/x;y=/admin', '/a.b', '/x?y=//admin', '/100%25']
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const path of others) t.match(await talk(port, ask(path)), `service ${path}`, path)
})

t.test('nor does one that goes on to another of the same name, whose target has a path', async (t) => {
  const { port, table, link } = await smallEdge(t, (request, response) => response.end(`service ${request.url}`))
  const rewrite = { strip: false, prefix: '/base' }
  const other = fakeTunnel({ name: 'blog-2', balanced: true, rewrite, live: { link, service: 8 } })
  const nobody = { link: new FakeLink(await freePort()), service: 7 }
  table.tunnels.splice(0, 1, fakeTunnel({ name: 'blog', balanced: true, live: nobody }))
  table.another = (_, tried = new Set()) => (tried.has(other) ? undefined : other)
  t.match(await talk(port, ask('/x')), 'service /base/x')
  t.match(await talk(port, ask('/../admin')), /^HTTP\/1.1 400 [^]*REQUEST_INVALID/)
})

t.test('on a port of its own a tunnel has its path, too, and answers its token below it', async (t) => {
  const service = createServer((request, response) => response.end(`service ${request.url}`))
  const link = new FakeLink(await listen(t, service))
  const [port, table] = [await freePort(), new FakeTable()]
  const live = { link, service: 3 }
  table.tunnels.push(fakeTunnel({ name: 'api', ports: [port, port], path: '/api', check: 'TOKEN', live }))
  const tcp = startTcpPorts({ bind: '127.0.0.1', admission: makeAdmission(table) })
  t.teardown(() => tcp.close())
  await tcp.settled()
  t.match(await talk(port, ask('/api/x')), 'service /api/x')
  t.match(await talk(port, ask('/admin')), /^HTTP\/1.1 404 [^]*HOST_UNKNOWN/)
  t.match(await talk(port, ask('/api/../admin')), /^HTTP\/1.1 400 [^]*REQUEST_INVALID/)
  t.match(await talk(port, ask('/api/.well-known/engawa/TOKEN')), /TOKEN$/)
})
