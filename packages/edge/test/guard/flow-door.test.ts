import { FlowDoor } from '@engawa/edge/guard/flow-door'
import { LIMITS } from '@engawa/edge/limits'
import t from 'tap'

function door({ flows = 4096, flowsPerAddress = 64, burst = 1000 } = {}, now = (): number => 0) {
  const { udp, perAddress } = LIMITS.parse(undefined)
  const evicted: string[] = []
  const made = new FlowDoor({ udp: { ...udp, flows, flowsPerAddress }, perAddress: { ...perAddress, burst } }, now)
  return {
    made,
    evicted,
    enter: (address: string, name = address) => {
      const pass = made.enter(address, () => {
        evicted.push(name)
        pass?.leave()
      })
      return pass
    },
  }
}

t.test('past the flows of one address its own oldest unanswered one goes, nobody else notices', async (t) => {
  const { made, evicted, enter } = door({ flowsPerAddress: 2 })
  enter('198.51.100.1', 'other')
  for (const name of ['a', 'b', 'c']) t.ok(enter('203.0.113.1', name))
  t.same(evicted, ['a'])
  t.equal(made.total, 3)
})

t.test('a flow whose visitor has spoken again after an answer is never given up for another', async (t) => {
  const { made, evicted, enter } = door({ flows: 3 })
  enter('203.0.113.1')?.assure()
  for (let last = 1; last <= 200; last++) enter(`198.51.100.${last}`)
  t.equal(evicted.length, 198)
  t.notOk(evicted.includes('203.0.113.1'))
  t.equal(made.total, 3)
})

t.test('where every flow is assured a new one is refused', async (t) => {
  const { enter } = door({ flows: 2 })
  const passes = ['203.0.113.1', '203.0.113.2'].map((address) => enter(address))
  for (const pass of passes) pass?.assure()
  t.equal(enter('203.0.113.3'), undefined)
  passes[0]?.leave()
  passes[0]?.leave()
  t.ok(enter('203.0.113.3'))
  t.equal(enter('203.0.113.4') === undefined, false, 'the unassured one made room')
})

t.test('new flows of one address are limited in rate, an IPv6 /64 counts as one', async (t) => {
  let now = 0
  const { enter } = door({ burst: 2 }, () => now)
  t.ok(enter('2001:db8::1'))
  t.ok(enter('2001:db8::2'))
  t.equal(enter('2001:db8::3'), undefined)
  t.ok(enter('2001:db8:0:1::1'), 'a neighbour is let in')
  now = 1000
  t.ok(enter('2001:db8::3'))
})

t.test('a rate that has changed holds for the next flow', (t) => {
  const { udp, perAddress } = LIMITS.parse(undefined)
  const limits = { udp, perAddress: { ...perAddress, burst: 1 } }
  const made = new FlowDoor(limits, () => 0)
  t.ok(made.enter('203.0.113.1', () => {}))
  t.notOk(made.enter('203.0.113.1', () => {}))
  limits.perAddress.burst = 2
  t.ok(made.enter('203.0.113.2', () => {}))
  t.ok(made.enter('203.0.113.2', () => {}))
  t.end()
})
