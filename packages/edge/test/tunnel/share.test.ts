import { Share } from '@engawa/edge/tunnel/share'
import t from 'tap'

t.test('a little work waits for nothing, more lets others have a turn', async (t) => {
  const share = new Share(0)
  t.equal(share.spent(0, 4), undefined)
  t.equal(share.spent(4, 8), undefined)
  t.equal(share.spent(8, 12), 0, '12 ms in one go')
  t.equal(share.spent(12, 16), undefined)
})

t.test('who works all the time gets a fifth of it', async (t) => {
  const share = new Share(0)
  let [now, worked] = [0, 0]
  while (now < 100_000) {
    const since = now
    now += 6
    worked += 6
    now += share.spent(since, now) ?? 0
  }
  t.ok(worked > 15_000 && worked < 25_000, `${worked} of 100,000 ms`)
})

t.test('rest does not add up to more than a burst', async (t) => {
  const share = new Share(0)
  share.spent(0, 400)
  t.equal(share.spent(1_000_000, 1_000_500), 0)
  t.ok((share.spent(1_000_500, 1_000_600) ?? 0) > 300)
})
