import { Pending } from '@engawa/edge/listen/pending'
import t from 'tap'

function fill(pending: Pending, evicted: string[], names: readonly string[]): void {
  for (const name of names) pending.add(name.replace(/#.*/, ''), () => evicted.push(name))
}

t.test('the eleventh of an address puts out its first', async (t) => {
  const [pending, evicted] = [new Pending({ pending: 100, pendingPerAddress: 10 }), [] as string[]]
  fill(pending, evicted, ['b#0', ...Array.from({ length: 12 }, (_, index) => `a#${index}`)])
  t.strictSame(evicted, ['a#0', 'a#1'])
  t.equal(pending.size, 11)
})

t.test('a full house puts out the oldest of the same address, else of the fullest', async (t) => {
  const [pending, evicted] = [new Pending({ pending: 100, pendingPerAddress: 10 }), [] as string[]]
  const crowd = Array.from({ length: 33 }, (_, index) => [`${index}#0`, `${index}#1`, `${index}#2`]).flat()
  fill(pending, evicted, [...crowd, 'mine#0'])
  t.equal(pending.size, 100)
  fill(pending, evicted, ['mine#1'])
  t.strictSame(evicted, ['mine#0'])
  fill(pending, evicted, ['new#0'])
  t.strictSame(evicted, ['mine#0', '0#0'])
  t.equal(pending.size, 100)
})

t.test('a place is given back once', async (t) => {
  const pending = new Pending({ pending: 100, pendingPerAddress: 10 })
  const leave = pending.add('a', () => t.fail('left already'))
  leave()
  leave()
  t.equal(pending.size, 0)
  pending.add('a', () => {})
  t.equal(pending.size, 1)
  pending.clear()
  t.equal(pending.size, 0)
})
