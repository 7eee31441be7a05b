import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Checks } from '@engawa/agent/checks'
import type { ShownEvent } from '@engawa/agent/events'
import type { Published } from '@engawa/agent/tunnels'
import { parseWish } from '@engawa/agent/wish'
import t from 'tap'

t.test('a tunnel whose address changes all the time is checked once at a time, and at last as it is', async (t) => {
  const open = new Set<string>()
  let most = 0
  let asked = 0
  const server = createServer((request, response) => {
    const token = request.url?.split('/').at(-1) ?? ''
    asked++
    open.add(token)
    most = Math.max(most, open.size)
    setImmediate(() => {
      open.delete(token)
      response.end(token)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const told = Promise.withResolvers<ShownEvent>()
  const published: Published = {
    service: 1,
    owner: { tell: told.resolve },
    wish: parseWish({ target: '8080' }),
    name: 'blog',
    state: 'bound',
    bound: undefined,
    traffic: { total: 0, open: 0, received: 0, sent: 0, dropped: 0 },
  }
  const checks = new Checks(() => '127.0.0.1:443')
  t.teardown(() => checks.close())
  for (let n = 0; n < 50; n++) {
    published.bound = {
      type: 'bound',
      service: 1,
      name: 'blog',
      public: `http://127.0.0.1:${port}/${n}`,
      urls: [],
      check: `token-${String(n).padStart(2, '0')}`,
    }
    checks.look(published)
  }
  // Keeps the loop alive: the timers of checks do not.
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(awake))
  t.match(await told.promise, { event: 'check', ok: true, public: `http://127.0.0.1:${port}/49` })
  t.equal(most, 1)
  t.equal(asked, 2, 'the first and the last')
})
