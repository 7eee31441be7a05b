import { Backoff } from '@engawa/shared/backoff'
import fc from 'fast-check'
import t from 'tap'

t.test('250 ms for a minute, then doubling to 30 s', async (t) => {
  const backoff = new Backoff(() => 0.5)
  t.equal(backoff.next(1000), 250)
  t.equal(backoff.next(60_999), 250)
  t.same(
    Array.from({ length: 8 }, () => backoff.next(61_000) / 0.75),
    [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
  )
  backoff.reset()
  t.equal(backoff.next(70_000), 250, 'a new loss begins anew')
})

t.test('waits are spread and never above 30 s', async () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(10), (x, rounds) => {
      const backoff = new Backoff(() => x)
      const first = backoff.next(0)
      if (first < 125 || first > 375) return false
      const waits = Array.from({ length: rounds }, () => backoff.next(60_000))
      return waits.every((wait) => wait >= 250 && wait <= 30_000)
    }),
  )
})
