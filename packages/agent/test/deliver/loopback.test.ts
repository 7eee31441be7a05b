import { isLoopback4, Loopback } from '@engawa/agent/deliver/loopback'
import { endpoint, NOWHERE } from '@engawa/shared/wire/opening'
import t from 'tap'

const SECRET = Buffer.alloc(32, 1)

t.test('each visitor has one address, the same after a restart', async (t) => {
  const first = new Loopback(SECRET)
  const seen = new Map<string, string>()
  for (let index = 0; index < 2000; index++) {
    const visitor = `203.0.${index >> 8}.${index & 255}`
    const seat = first.enter(endpoint(visitor, 1000 + index))
    const address = seat?.address ?? ''
    seen.set(address, visitor)
    t.match(address, /^127\.(1[6-9]|[2-9]\d|1\d\d|2[0-4]\d|25[0-5])\.\d+\.\d+$/)
    t.notMatch(address, /\.(?:0|255)$/)
    t.equal(first.enter(endpoint(visitor, 9))?.address, address, 'another port, the same visitor')
  }
  t.equal(seen.size, 2000)
  const second = new Loopback(SECRET)
  const [last, visitor] = [...seen].at(-1) ?? []
  t.equal(second.enter(endpoint(visitor, 1))?.address, last)
  t.not(new Loopback(Buffer.alloc(32, 2)).enter(endpoint(visitor, 1))?.address, last, 'another agent, another one')
})

t.test('an IPv6 visitor is a /64, as for all limits', async (t) => {
  const loopback = new Loopback(SECRET)
  const one = loopback.enter(endpoint('2001:db8:1:2::1', 1))
  t.equal(loopback.enter(endpoint('2001:db8:1:2:ffff::9', 1))?.address, one?.address)
  t.not(loopback.enter(endpoint('2001:db8:1:3::1', 1))?.address, one?.address)
  t.equal(
    loopback.enter(endpoint('::ffff:203.0.113.7', 1))?.address,
    loopback.enter(endpoint('203.0.113.7', 1))?.address,
  )
  t.equal(loopback.enter(NOWHERE), undefined)
  t.same(
    loopback.list().map(({ visitor, open, total }) => [visitor, open, total]),
    [
      ['203.0.113.7', 2, 2],
      ['2001:db8:1:3::/64', 1, 1],
      ['2001:db8:1:2::/64', 2, 2],
    ],
  )
})

t.test('the table is bounded: who has been away longest goes, who is inside stays', async (t) => {
  const loopback = new Loopback(SECRET, { most: 3, count: 1024 })
  const visit = (host: number): ReturnType<Loopback['enter']> => loopback.enter(endpoint(`203.0.113.${host}`, 1))
  const seats = [1, 2, 3].map(visit)
  t.equal(visit(4), undefined, 'all of them are inside')
  seats[1]?.leave()
  seats[1]?.leave()
  seats[2]?.leave()
  visit(2)?.leave()
  t.ok(visit(4))
  t.same(new Set(loopback.list().map(({ visitor }) => visitor)), new Set(['203.0.113.1', '203.0.113.2', '203.0.113.4']))
  t.match(loopback.list().at(-1), { visitor: '203.0.113.1', open: 1 })
})

t.test('two visitors of one hash still have an address each', async (t) => {
  const loopback = new Loopback(SECRET, { count: 256 })
  const all = Array.from({ length: 254 }, (_, host) => loopback.enter(endpoint(`203.0.113.${host}`, 1))?.address)
  t.equal(new Set(all).size, 254)
})

t.test('which hosts are this machine', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3']) t.ok(isLoopback4(host), host)
  for (const host of ['::1', '127.example.org', '192.168.0.1', 'localhost.example.org'])
    t.notOk(isLoopback4(host), host)
})
