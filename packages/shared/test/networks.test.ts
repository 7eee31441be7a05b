import { Networks, parseNetwork } from '@engawa/shared/networks'
import t from 'tap'

const GOOD: readonly (readonly [typed: string, network: string])[] = [
  ['10.0.0.1', '10.0.0.1/32'],
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::/0', '::/0'],
  ['FE80::/10', 'fe80::/10'],
  ['2001:db8:0:0::1', '2001:db8::1/128'],
  ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
  ['::ffff:c000:201', '192.0.2.1/32'],
]

for (const [typed, network] of GOOD) t.test(typed, async (t) => t.equal(parseNetwork(typed), network))

t.test('what is no network is refused', async (t) => {
  const wrong = ['', 'x', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', 'fe80::1%eth0/64', '1/8', '010.0.0.1']
  for (const typed of [...wrong, '::ffff:10.0.0.0/90', 'example.com', '10.0.0.0/8/8', '::1/']) {
    t.throws(() => parseNetwork(typed), { code: 'FLAG_INVALID', message: /no network/ }, typed)
  }
})

t.test('a mapped address is IPv4', async (t) => {
  const networks = new Networks(['192.0.2.0/24', '2001:db8::/32'].map(parseNetwork))
  for (const inside of ['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207', '2001:db8:1::'])
    t.ok(networks.has(inside), inside)
  for (const outside of ['192.0.3.7', '::ffff:192.0.3.7', '2001:db9::', '', 'x', '::192.0.2.7'])
    t.notOk(networks.has(outside), outside)
})

t.test('all of one family', async (t) => {
  const every4 = new Networks([parseNetwork('0.0.0.0/0')])
  t.ok(every4.has('203.0.113.1'))
  t.ok(every4.has('::ffff:203.0.113.1'))
  t.notOk(every4.has('2001:db8::1'))
  const every6 = new Networks([parseNetwork('::/0')])
  t.ok(every6.has('2001:db8::1'))
  t.notOk(every6.has('203.0.113.1'), 'IPv4 is none of it')
})
