import { addressKey } from '@engawa/shared/address-key'
import t from 'tap'
import { TokenBuckets } from '../../src/guard/bucket.ts'
import { blockListOf, Door, type Pass } from '../../src/guard/door.ts'

t.test('limits count an IPv6 network as one, and a mapped address as IPv4', async (t) => {
  for (const [address, key] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const) {
    t.equal(addressKey(address), key, address)
  }
})

const limits = {
  http2RequestsPerAddress: 512,
  connections: 5,
  perAddress: { connections: 2, newPerSecond: 10, burst: 3 },
}

t.test('so many at once from one address, so many in all', async (t) => {
  const door = new Door({ ...limits, perAddress: { ...limits.perAddress, burst: 100 } })
  const first = door.enter('192.0.2.1') as Pass
  door.enter('::ffff:192.0.2.1')
  t.equal(door.enter('192.0.2.1'), 'TOO_MANY')
  t.type(door.enter('2001:db8::1'), 'object')
  t.type(door.enter('2001:db8::2'), 'object')
  t.equal(door.enter('2001:db8::3'), 'TOO_MANY')
  first.leave()
  first.leave()
  t.equal(door.total, 3)
  t.type(door.enter('192.0.2.1'), 'object')
  t.type(door.enter('192.0.2.2'), 'object')
  t.equal(door.enter('192.0.2.3'), 'EDGE_BUSY')
})

t.test('so many new ones a second, after a burst', async (t) => {
  let now = 0
  const door = new Door(limits, undefined, () => now)
  const come = (): boolean => {
    const pass = door.enter('192.0.2.1')
    if (typeof pass !== 'string') pass.leave()
    return typeof pass !== 'string'
  }
  t.strictSame([come(), come(), come(), come()], [true, true, true, false])
  now = 100
  t.strictSame([come(), come()], [true, false])
  now = 10_000
  t.strictSame([come(), come(), come(), come()], [true, true, true, false])
})

t.test('a trusted proxy speaks for many', async (t) => {
  const door = new Door(limits, blockListOf(['192.0.2.0/24']))
  for (let count = 0; count < 5; count++) t.type(door.enter('192.0.2.1'), 'object')
  t.equal(door.enter('192.0.2.1'), 'EDGE_BUSY')
})

t.test('the table of buckets stays small, and keeps those in use', async (t) => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1, most: 100 })
  for (let count = 0; count < 10_000; count++) buckets.take(`address ${count}`, count / 1000)
  t.ok(buckets.size <= 100)
  t.notOk(buckets.take('address 9999', 10))
})
