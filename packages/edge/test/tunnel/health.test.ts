import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { REAL_CLOCK } from '@engawa/shared/carrier/clock'
import t, { type Test } from 'tap'
import { type Health, watchHealth } from '../../src/tunnel/health.ts'
import type { Published } from '../../src/tunnel/published.ts'
import { listen } from '../support/edge.ts'
import { FakeLink } from '../support/fake-link.ts'

/** What the first look says. */
async function look(t: Test, server: Server | ReturnType<typeof createHttp2Server>, health: Health, h2c = false) {
  const link = new FakeLink(await listen(t, server))
  const seen = Promise.withResolvers<boolean>()
  const tunnel = {
    live: { link, service: 1 },
    hosts: ['web.example.com'],
    hostHeader: undefined,
    h2c,
    set well(well: boolean) {
      seen.resolve(well)
    },
  }
  t.teardown(watchHealth(tunnel as unknown as Published, health, REAL_CLOCK))
  const well = await seen.promise
  const [stream] = link.streams
  if (stream?.socket.closed === false) await once(stream.socket, 'close')
  return well
}

const PATH: Health = { kind: 'http', path: '/health' }

t.test('a service over HTTP/1.1 is asked by that', async (t) => {
  const fine = createServer((asked, answer) => void answer.writeHead(asked.url === '/health' ? 204 : 404).end())
  t.equal(await look(t, fine, PATH), true)
  t.equal(
    await look(
      t,
      createServer((_asked, answer) => void answer.writeHead(500).end()),
      PATH,
    ),
    false,
  )
  t.equal(
    await look(
      t,
      createServer((asked) => asked.socket.destroy()),
      PATH,
    ),
    false,
  )
})

t.test('a service over HTTP/2 without TLS is asked by that', async (t) => {
  const fine = createHttp2Server((asked, answer) => {
    answer.statusCode = asked.url === '/health' && asked.authority === 'web.example.com' ? 204 : 404
    answer.end()
  })
  t.equal(await look(t, fine, PATH, true), true)
  const broken = createHttp2Server((_asked, answer) => {
    answer.statusCode = 503
    answer.end('no')
  })
  t.equal(await look(t, broken, PATH, true), false)
  t.equal(
    await look(
      t,
      createServer((asked) => asked.socket.destroy()),
      PATH,
      true,
    ),
    false,
    'no HTTP/2',
  )
})

t.test('a service that takes connections is well by that alone', async (t) => {
  t.equal(await look(t, createServer(), { kind: 'tcp' }), true)
})
