import { Routes } from '@engawa/agent/routes'
import t from 'tap'

const V6 = '[2001:db8::5]:443'
const V4 = '203.0.113.5:443'

t.test('the second carrier goes over the other family', async (t) => {
  const routes = new Routes([V6, V4])
  const first = await routes.next([], [], 0)
  t.match(first, { address: V6, host: '2001:db8::5', port: 443, family: 6 })
  const second = await routes.next([], [{ address: first.host, port: 443, family: 6 }], 0)
  t.match(second, { address: V4, family: 4 })
})

t.test('dials under way count as well: both families at once', async (t) => {
  const routes = new Routes([V6, V4])
  const first = await routes.next([], [], 0)
  t.equal((await routes.next([first], [], 0)).family, 4)
})

t.test('what failed lately comes last; else two of one family', async (t) => {
  const routes = new Routes([V6, V4])
  routes.failed(await routes.next([], [], 1000), 1000)
  const standing = [{ address: '203.0.113.5', port: 443, family: 4 }]
  t.equal((await routes.next([], standing, 2000)).family, 4, 'IPv6 is dead here')
  t.equal((await routes.next([], standing, 40_000)).family, 6, 'it may be back')
  routes.forgive()
  t.equal((await routes.next([], standing, 2000)).family, 6, 'another network')
})

t.test('all failed: the longest ago first', async (t) => {
  const routes = new Routes([V6, V4])
  t.notOk(routes.hasUntried([], 1000), 'nothing is known yet')
  const v6 = await routes.next([], [], 1000)
  routes.failed(v6, 1000)
  t.ok(routes.hasUntried([], 1000))
  routes.failed(await routes.next([], [], 1100), 1100)
  t.notOk(routes.hasUntried([], 1200))
  t.equal((await routes.next([], [], 1200)).family, 6)
  routes.failed(v6, 1200)
  t.equal((await routes.next([], [], 1300)).family, 4)
})

t.test('a dial that hangs gets company, and no second wind to what has just failed', async (t) => {
  const routes = new Routes([V6, V4])
  const v6 = await routes.next([], [], 1000)
  const v4 = await routes.next([v6], [], 1000)
  routes.failed(v6, 1001)
  t.notOk(routes.hasUntried([v4], 1001), 'nothing to dial at once')
  t.equal((await routes.next([v4], [], 1500)).family, 4)
  routes.failed(v4, 2500)
  t.equal((await routes.next([v4], [], 2500)).family, 6, 'IPv6 again, once IPv4 has failed later')
})

t.test('two addresses of one family take turns', async (t) => {
  const routes = new Routes(['127.0.0.1:1', '127.0.0.1:2'])
  t.equal((await routes.next([], [{ address: '127.0.0.1', port: 1, family: 4 }], 0)).port, 2)
  t.equal((await routes.next([], [{ address: '127.0.0.1', port: 2, family: 4 }], 0)).port, 1)
})

t.test('a name gives every address it has; when its server fails, those it had', async (t) => {
  let answers = true
  const routes = new Routes(['edge.example:443'], () => {
    if (!answers) return Promise.reject(new Error('EAI_AGAIN'))
    return Promise.resolve([
      { address: '2001:db8::7', family: 6 },
      { address: '203.0.113.7', family: 4 },
    ])
  })
  const first = await routes.next([], [], 0)
  t.match(first, { address: 'edge.example:443', host: '2001:db8::7', family: 6 })
  answers = false
  t.equal((await routes.next([first], [], 0)).host, '203.0.113.7')
})

t.test('a name that nobody knows', async (t) => {
  const routes = new Routes(['edge.example:443'], () => Promise.reject(new Error('ENOTFOUND')))
  await t.rejects(routes.next([], [], 0), { code: 'EDGE_NOT_FOUND' })
})

t.test('a name of the edge that leads to credentials of a cloud leads nowhere', async (t) => {
  const found = [
    { address: '169.254.169.254', family: 4 },
    { address: 'fe80::1', family: 6 },
  ]
  const routes = new Routes(['edge.example:443'], async () => found)
  await t.rejects(routes.next([], [], 0), { code: 'EDGE_NOT_FOUND' })
  found.push({ address: '192.168.0.9', family: 4 })
  t.match(await routes.next([], [], 0), { host: '192.168.0.9' }, 'an edge in the LAN')
})
