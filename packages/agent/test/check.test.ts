import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTls } from 'node:https'
import { type AddressInfo, createServer as createNet, type Server } from 'node:net'
import { checkPublic } from '@engawa/agent/check'
import type { Bound } from '@engawa/shared/wire/control'
import t, { type Test } from 'tap'
import { makeTestEdge } from './support/certificate.ts'

const HERE = { edgeAddress: '127.0.0.1', stepMs: 15_000 }

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

function bound(address: string, check = 'token-of-it'): Bound {
  return { type: 'bound', service: 1, name: 'blog', public: address, urls: [], check }
}

t.test('an edge that answers its token is fine', async (t) => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    asked.push([request.headers.host, request.url])
    response.end('token-of-it\n')
  })
  const port = await listening(t, server)
  t.same(await checkPublic(bound(`http://blog.localhost:${port}`), HERE), { ok: true })
  t.same(asked, [[`blog.localhost:${port}`, '/.well-known/engawa/token-of-it']])
})

t.test('of a tunnel for one path, the token is asked for below it', async (t) => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    response.end('token-of-it')
  })
  const address = `http://blog.localhost:${await listening(t, server)}/api`
  t.same(await checkPublic(bound(address), { ...HERE, path: '/api' }), { ok: true })
  t.same(asked, ['/api/.well-known/engawa/token-of-it'])
})

t.test('a tunnel with rules that keep this machine out is not called somebody else', async (t) => {
  const server = createNet((socket) => socket.resetAndDestroy())
  const port = await listening(t, server)
  const address = bound(`http://127.0.0.1:${port}`)
  t.match(await checkPublic(address, HERE), { ok: false, failed: 'answer' })
  const blocked = { ok: false, failed: 'blocked' }
  t.match(await checkPublic(address, { ...HERE, ruled: true }), blocked)
  const page = createServer((_, response) => response.writeHead(403, { 'Engawa-Error': 'BLOCKED' }).end())
  t.match(await checkPublic(bound(`http://127.0.0.1:${await listening(t, page)}`), HERE), blocked)
})

t.test('somebody else answers', async (t) => {
  const port = await listening(
    t,
    createServer((_, response) => response.end('<html>a router</html>')),
  )
  t.match(await checkPublic(bound(`http://blog.localhost:${port}`), HERE), { ok: false, failed: 'answer' })
  t.match(
    await checkPublic(bound(`http://127.0.0.1:${port}`), { ...HERE, edgeAddress: '203.0.113.5' }),
    { ok: false, failed: 'address', detail: '127.0.0.1' },
    'at another address than the edge',
  )
})

t.test('a page without end does not hold it', async (t) => {
  const server = createServer((_, response) => {
    response.on('error', () => {})
    const more = (): void => {
      if (response.write('x'.repeat(1024))) setImmediate(more)
    }
    more()
  })
  t.teardown(() => server.closeAllConnections())
  const port = await listening(t, server)
  t.match(await checkPublic(bound(`http://blog.localhost:${port}`), HERE), { ok: false, failed: 'answer' })
})

t.test('a closed port, for names and for ports', async (t) => {
  // A low one: any that was free a moment ago may be somebody's by now.
  const port = 1
  t.match(await checkPublic(bound(`http://blog.localhost:${port}`), HERE), { ok: false, failed: 'port' })
  t.match(await checkPublic(bound(`localhost:${port}`), HERE), { ok: false, failed: 'port' })
  t.match(await checkPublic(bound(`127.0.0.1:${port}-${port + 1}`), HERE), { ok: false, failed: 'port' })
})

t.test('a port that is open', async (t) => {
  const port = await listening(t, createServer())
  t.same(await checkPublic(bound(`localhost:${port}`), HERE), { ok: true })
  t.same(await checkPublic(bound(`localhost:${port}-${port + 5}`), HERE), { ok: true })
})

t.test('a name that does not resolve', async (t) => {
  t.match(await checkPublic(bound('http://blog.invalid'), HERE), { ok: false, failed: 'name', detail: 'blog.invalid' })
})

t.test('a certificate that browsers would not trust', async (t) => {
  const { key, cert } = makeTestEdge({ name: 'blog.localhost' })
  const port = await listening(
    t,
    createTls({ key, cert }, (_, response) => response.end('token-of-it')),
  )
  t.match(await checkPublic(bound(`https://blog.localhost:${port}`), HERE), { ok: false, failed: 'certificate' })
})

t.test('nothing is claimed that was not measured', async (t) => {
  const { check: _check, ...rest } = bound('http://blog.localhost')
  t.match(await checkPublic(rest, HERE), { ok: false, failed: 'skipped' })
})

t.test('a hacked edge makes it knock at no door of the house', async (t) => {
  let knocks = 0
  const server = createServer((_, response) => response.end())
  server.on('connection', () => knocks++)
  const port = await listening(t, server)
  const outside = { ...HERE, edgeAddress: '203.0.113.5' }
  for (const host of ['127.0.0.1', 'localhost', 'x.localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '127.1']) {
    const web = await checkPublic(bound(`http://${host}:${port}/`), outside)
    t.notOk(web.ok, host)
    t.notOk((await checkPublic(bound(`${host}:${port}`), outside)).ok, host)
  }
  const inside = { ...outside, stepMs: 50 }
  for (const host of ['10.1.2.3', '192.168.0.1', '169.254.169.254', '100.64.0.1', '224.0.0.1']) {
    t.match(await checkPublic(bound(`http://${host}/`), inside), { ok: false, failed: 'address', detail: host })
  }
  for (const host of ['[fe80::1]', '[fd00::1]', '[2002:c0a8:1::1]', '[64:ff9b::a9fe:a9fe]']) {
    t.match(await checkPublic(bound(`http://${host}/`), inside), { ok: false, failed: 'skipped' }, host)
  }
  t.equal(knocks, 0)
})

t.test('a hacked edge names no other path by its token', async (t) => {
  const asked: unknown[] = []
  const port = await listening(
    t,
    createServer((request, response) => response.end(String(asked.push(request.url)))),
  )
  for (const token of ['../../reboot', '..%2f..%2freboot', 'x?y', '', 'a/../../b']) {
    t.match(await checkPublic(bound(`http://127.0.0.1:${port}`, token), HERE), { ok: false, failed: 'skipped' })
  }
  t.same(asked, [])
})
