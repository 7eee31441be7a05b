import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTls } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { checkPublic } from '@engawa/agent/check'
import type { Bound } from '@engawa/shared/wire/control'
import t, { type Test } from 'tap'
import { makeTestEdge } from './support/certificate.ts'

const HERE = { edgeAddress: '127.0.0.1', stepMs: 2000 }

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

function bound(address: string, check = 'token'): Bound {
  return { type: 'bound', service: 1, name: 'blog', public: address, urls: [], check }
}

t.test('an edge that answers its token is fine', async (t) => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    asked.push([request.headers.host, request.url])
    response.end('token\n')
  })
  const port = await listening(t, server)
  t.same(await checkPublic(bound(`http://blog.localhost:${port}`), HERE), { ok: true })
  t.same(asked, [[`blog.localhost:${port}`, '/.well-known/engawa/token']])
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
  const server = createServer()
  const port = await listening(t, server)
  server.close()
  await once(server, 'close')
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
    createTls({ key, cert }, (_, response) => response.end('token')),
  )
  t.match(await checkPublic(bound(`https://blog.localhost:${port}`), HERE), { ok: false, failed: 'certificate' })
})

t.test('nothing is claimed that was not measured', async (t) => {
  const { check: _check, ...rest } = bound('http://blog.localhost')
  t.match(await checkPublic(rest, HERE), { ok: false, failed: 'skipped' })
})
