import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { accessByToken } from '@engawa/edge/admin/access'
import { adminServer } from '@engawa/edge/admin/server'
import { createLog } from '@engawa/edge/log'
import fc from 'fast-check'
import type { InjectOptions } from 'fastify'
import t from 'tap'
import { LONG, PATIENCE } from '../support/patience.ts'
import { paperOffice } from './office.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const TOKEN = 'x'.repeat(43)
const log = createLog('fatal', () => {})
const office = paperOffice()
const open = await adminServer(office, log)
const guarded = await adminServer(office, log, { access: accessByToken(TOKEN, ['edge.example.com']) })
t.teardown(async () => {
  await Promise.all([open.close(), guarded.close()])
})

const bearer = { authorization: `Bearer ${TOKEN}` }

t.test('reads and changes over the socket need no token', async (t) => {
  t.equal((await open.inject('/api/health')).body, '{"status":"serving"}')
  t.equal((await open.inject('/api/status')).json().domain, 'localhost')
  t.equal((await open.inject('/api/agents')).json()[0].name, 'home')
  const made = await open.inject({ method: 'POST', url: '/api/invitations', payload: { name: 'home', expires: '2h' } })
  t.equal(made.statusCode, 201)
  t.match(made.json(), { name: 'home', reach: 'local' })
  const renamed = await open.inject({ method: 'POST', url: '/api/agents/home/rename', payload: { name: 'house' } })
  t.strictSame([renamed.statusCode, renamed.json()], [200, { name: 'house' }])
  t.strictSame(office.calls.at(-1), ['rename', 'home', 'house'])
})

const REFUSED: readonly (readonly [what: string, ask: InjectOptions, status: number, code: string])[] = [
  ['an unknown path', { url: '/api/nothing' }, 404, 'PATH_UNKNOWN'],
  ['a wrong method', { url: '/api/agents', method: 'DELETE' }, 404, 'PATH_UNKNOWN'],
  ['an unknown agent', { url: '/api/agents/nobody/revoke', method: 'POST' }, 404, 'AGENT_UNKNOWN'],
  ['a taken name', { url: '/api/agents/home/rename', method: 'POST', payload: { name: 'taken' } }, 409, 'NAME_TAKEN'],
  ['a wrong name', { url: '/api/invitations', method: 'POST', payload: { name: 'bad name' } }, 400, 'NAME_INVALID'],
  ['no body', { url: '/api/invitations', method: 'POST' }, 400, 'REQUEST_INVALID'],
  [
    'an unknown field',
    { url: '/api/invitations', method: 'POST', payload: { name: 'a', x: 1 } },
    400,
    'REQUEST_INVALID',
  ],
  ['a wrong type', { url: '/api/invitations', method: 'POST', payload: { name: 7 } }, 400, 'REQUEST_INVALID'],
  [
    'no JSON',
    { url: '/api/invitations', method: 'POST', payload: '{', headers: { 'content-type': 'application/json' } },
    400,
    'REQUEST_INVALID',
  ],
  [
    'a strange type',
    { url: '/api/invitations', method: 'POST', payload: 'x', headers: { 'content-type': 'text/xml' } },
    415,
    'REQUEST_INVALID',
  ],
  [
    'too much',
    { url: '/api/invitations', method: 'POST', payload: { name: 'x'.repeat(100_000) } },
    413,
    'REQUEST_INVALID',
  ],
  ['a long name', { url: `/api/agents/${'x'.repeat(400)}/revoke`, method: 'POST' }, 414, 'REQUEST_INVALID'],
  ['a broken escape', { url: '/api/agents/%zz/revoke', method: 'POST' }, 400, 'REQUEST_INVALID'],
]
for (const [what, ask, status, code] of REFUSED) {
  t.test(`${what} is answered ${status} ${code}`, async (t) => {
    const answer = await open.inject(ask)
    t.equal(answer.statusCode, status)
    t.strictSame(Object.keys(answer.json()).toSorted(), ['code', 'message'])
    t.equal(answer.json().code, code)
  })
}

t.test('what broke inside is not told', async (t) => {
  const answer = await open.inject({ method: 'POST', url: '/api/agents/home/rename', payload: { name: 'broken' } })
  t.equal(answer.statusCode, 500)
  t.equal(answer.json().code, 'INTERNAL')
  t.notMatch(answer.body, 'secret detail')
})

t.test('over TCP everything but health needs the token', async (t) => {
  const host = 'localhost:7400'
  t.equal((await guarded.inject({ url: '/api/health', headers: { host } })).statusCode, 200)
  for (const url of ['/api/status', '/api/agents', '/api/tunnels', '/api/openapi.json', '/api/nothing']) {
    t.equal((await guarded.inject({ url, headers: { host } })).json().code, 'TOKEN_INVALID', url)
    t.equal((await guarded.inject({ url, headers: { host, authorization: 'Bearer y' } })).statusCode, 401)
    t.not((await guarded.inject({ url, headers: { host, ...bearer } })).statusCode, 401)
  }
  const before = office.calls.length
  t.equal((await guarded.inject({ method: 'POST', url: '/api/agents/home/revoke', headers: { host } })).statusCode, 401)
  t.equal(office.calls.length, before)
})

async function ask(headers: Record<string, string>): Promise<number> {
  return (await guarded.inject({ url: '/api/agents', headers: { ...bearer, ...headers } })).statusCode
}

t.test('a rebound name or a foreign page is refused, token or not', async (t) => {
  for (const host of ['localhost', 'localhost:7400', '127.0.0.1:7400', '[::1]:7400', 'edge.example.com:7400']) {
    t.equal(await ask({ host }), 200, host)
    t.equal(await ask({ host, origin: `http://${host}` }), 200, host)
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost:7400@evil.example',
    '0x7f.1',
  ]) {
    t.equal(await ask({ host }), 403, host)
  }
  for (const host of ['203.0.113.5:7400', '[2001:db8::5]:7400']) {
    t.equal(await ask({ host }), 200, `${host}: an address cannot be rebound`)
    t.equal(await ask({ host, origin: `http://${host}` }), 403, 'a page from there is another site')
  }
  for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example', 'x']) {
    t.equal(await ask({ host: 'localhost', origin }), 403, origin)
  }
  t.equal(await ask({ host: 'localhost', 'sec-fetch-site': 'cross-site' }), 403)
})

t.test('the API describes itself', async (t) => {
  const document = (await open.inject('/api/openapi.json')).json()
  t.match(document.openapi, /^3\./)
  t.strictSame(Object.keys(document.paths).toSorted(), [
    '/api/agents',
    '/api/agents/{name}/rename',
    '/api/agents/{name}/revoke',
    '/api/health',
    '/api/invitations',
    '/api/reload',
    '/api/status',
    '/api/tunnels',
    '/api/upgrade',
    '/metrics',
  ])
})

t.test('R11 no body makes it stumble, stall or grow', async (t) => {
  const runs = LONG ? 1_000_000 : 300
  const paths = fc.constantFrom('/api/invitations', '/api/agents/home/rename', '/api/agents/home/revoke')
  const bodies = fc.oneof(
    fc.json(),
    fc.string(),
    fc.object().map((value) => JSON.stringify({ name: 'a', ...value })),
  )
  const headers = { 'content-type': 'application/json' }
  const ask = async (url: string, payload: string): Promise<number> =>
    (await open.inject({ method: 'POST', url, payload, headers })).statusCode
  for (const url of ['/api/invitations', '/api/agents/home/rename']) for (let n = 0; n < 100; n++) await ask(url, '{')
  gc()
  const before = process.memoryUsage().heapUsed
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  await fc.assert(
    fc.asyncProperty(paths, bodies, async (url, payload) => {
      const statusCode = await ask(url, payload)
      // What was taken is kept for the other tests to look at, not for a million bodies.
      office.calls.length = Math.min(office.calls.length, 100)
      return statusCode < 500
    }),
    { numRuns: runs },
  )
  delay.disable()
  gc()
  const grownMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20
  const stallMs = delay.max / 1e6
  t.comment(`${runs} bodies: ${grownMiB.toFixed(1)} MiB grown, longest stall ${stallMs.toFixed(0)} ms`)
  t.ok(grownMiB <= 32, `${grownMiB} MiB`)
  t.ok(stallMs <= 1000 * PATIENCE, `${stallMs} ms`)
})
