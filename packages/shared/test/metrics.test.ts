import { Tally } from '@engawa/shared/metrics'
import t from 'tap'

t.test('what is counted under names that come and go stays bounded; what is in use stays', async (t) => {
  const tally = new Tally()
  for (let count = 0; count < 100_000; count++) {
    tally.add({ tunnel: `made-up-${count}`, status: 200 })
    tally.add({ tunnel: 'blog', status: 200 })
  }
  t.equal(tally.rows.length, 20_000)
  t.same(
    tally.rows.find(([, labels]) => labels?.['tunnel'] === 'blog'),
    [100_000, { tunnel: 'blog', status: 200 }],
  )
})
