import { Pending } from '@engawa/edge/listen/pending'
import t from 'tap'

/** Carriers by name, `ADDRESS#NUMBER`, and what has become of them. */
class Hall {
  now = 0
  readonly begun: string[] = []
  readonly evicted: string[] = []
  readonly said = new Map<string, number>()
  readonly leave = new Map<string, () => void>()
  readonly pending: Pending

  constructor({ pending = 100, pendingPerAddress = 10, waiting = 1000, waitingPerAddress = 250 } = {}) {
    this.pending = new Pending({ pending, pendingPerAddress, waiting, waitingPerAddress }, () => this.now)
  }

  come(...names: readonly string[]): void {
    for (const name of names) {
      const leave = this.pending.add({
        address: name.replace(/#.*/, ''),
        begin: () => this.begun.push(name),
        evict: () => this.evicted.push(name),
        received: () => this.said.get(name) ?? 0,
      })
      this.leave.set(name, leave)
    }
  }

  say(...names: readonly string[]): void {
    for (const name of names) this.said.set(name, (this.said.get(name) ?? 0) + 1)
  }
}

const many = (address: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${address}#${index}`)

t.test('the eleventh of an address waits until one of the ten has finished', async (t) => {
  const hall = new Hall()
  hall.pending.open()
  hall.come('b#0', ...many('a', 12))
  t.strictSame(hall.begun, ['b#0', ...many('a', 10)])
  t.strictSame(hall.evicted, [])
  hall.leave.get('b#0')?.()
  t.equal(hall.begun.length, 11, 'a place of another address is none for it')
  hall.leave.get('a#3')?.()
  t.equal(hall.begun.at(-1), 'a#11', 'the newest is next')
})

t.test('the silent make room, those that go forward do not', async (t) => {
  const hall = new Hall({ pendingPerAddress: 3 })
  hall.pending.open()
  hall.come(...many('a', 3))
  hall.now = 10_000
  hall.pending.look()
  t.strictSame(hall.evicted, [], 'while nobody waits they may be as silent as they like')
  hall.say('a#1')
  hall.come('a#3', 'a#4')
  hall.pending.look()
  t.strictSame(
    [hall.evicted, hall.begun.slice(3)],
    [
      ['a#0', 'a#2'],
      ['a#4', 'a#3'],
    ],
  )
  hall.come('a#5')
  hall.now += 499
  hall.pending.look()
  t.equal(hall.evicted.length, 2)
  hall.say('a#3')
  hall.now += 1
  hall.pending.look()
  t.strictSame([hall.evicted.slice(2), hall.begun.at(-1)], [['a#1'], 'a#5'])
})

t.test('a full house: the silent of any address make room, and who has fewest places is next', async (t) => {
  const hall = new Hall({ pending: 4, pendingPerAddress: 3 })
  hall.pending.open()
  hall.come(...many('a', 3), 'b#0', 'new#0', 'a#3', 'b#1')
  hall.leave.get('b#0')?.()
  t.equal(hall.begun.at(-1), 'b#1', 'the newest of those that have none')
  hall.now = 500
  hall.pending.look()
  t.strictSame(
    [hall.evicted, hall.begun.slice(5)],
    [
      ['a#0', 'a#1'],
      ['new#0', 'a#3'],
    ],
  )
})

t.test('the line is bounded: the oldest of a crowded address goes, else of the most crowded', async (t) => {
  const hall = new Hall({ pending: 1, waiting: 5, waitingPerAddress: 3 })
  hall.pending.open()
  hall.come('x#0', ...many('a', 4))
  t.strictSame(hall.evicted, ['a#0'])
  hall.come(...many('b', 2), 'c#0')
  t.strictSame(hall.evicted, ['a#0', 'a#1'])
  t.equal(hall.pending.size, 6)
})

t.test('before it is open all wait', async (t) => {
  const hall = new Hall({ pendingPerAddress: 2 })
  hall.come(...many('a', 3))
  hall.now = 5000
  hall.pending.look()
  t.strictSame([hall.begun, hall.evicted], [[], []])
  hall.pending.open()
  t.equal(hall.begun.length, 2)
})

t.test('a place is given back once, and closing puts out all', async (t) => {
  const hall = new Hall()
  hall.pending.open()
  hall.come('a#0')
  hall.leave.get('a#0')?.()
  hall.leave.get('a#0')?.()
  t.equal(hall.pending.size, 0)
  hall.come(...many('a', 12))
  hall.pending.clear()
  t.equal(hall.pending.size, 0)
  t.equal(hall.evicted.length, 12)
  t.equal(hall.begun.length, 11, 'nobody begins then')
})
