import { NetworkWatch, REAL_SIGHT, type Sight } from '@engawa/agent/network'
import t from 'tap'

/** A machine whose network and clocks the test moves. */
class Machine implements Sight {
  present = ['127.0.0.1', '192.0.2.10']
  gateway = 'eth0 192.0.2.1'
  wallMs = 1_000_000
  monotonicMs = 1000
  readonly told: string[][] = []
  readonly watch: NetworkWatch = new NetworkWatch((present) => this.told.push([...present]), this)

  addresses(): readonly string[] {
    return this.present
  }
  defaultRoutes(): string {
    return this.gateway
  }
  wall(): number {
    return this.wallMs
  }
  monotonic(): number {
    return this.monotonicMs
  }

  /** A look after so long, the wall clock off by `gapMs`. */
  look(ms = 1000, gapMs = 0): number {
    this.wallMs += ms + gapMs
    this.monotonicMs += ms
    const before = this.told.length
    this.watch.look()
    return this.told.length - before
  }
}

t.test('nothing changes: nothing is told', async (t) => {
  const machine = new Machine()
  for (let count = 0; count < 10; count++) t.equal(machine.look(1000 + count * 20, count), 0)
})

t.test('an address goes, comes, or is another: told once, with those that are there', async (t) => {
  const machine = new Machine()
  machine.present = ['127.0.0.1']
  t.equal(machine.look(), 1)
  t.same(machine.told.at(-1), ['127.0.0.1'])
  t.equal(machine.look(), 0)
  machine.present = ['127.0.0.1', '198.51.100.4']
  t.equal(machine.look(), 1)
})

t.test('another gateway', async (t) => {
  const machine = new Machine()
  machine.gateway = 'wlan0 198.51.100.1'
  t.equal(machine.look(), 1)
})

t.test('a suspended machine, and a clock that was set, either way', async (t) => {
  for (const gapMs of [30_000, -30_000, 2 * 86_400_000]) {
    const machine = new Machine()
    t.equal(machine.look(1000, gapMs), 1, `${gapMs} ms`)
    t.equal(machine.look(), 0)
  }
})

t.test('a process that stood still', async (t) => {
  t.equal(new Machine().look(30_000), 1)
})

t.test('this machine can be looked at', async (t) => {
  t.ok(REAL_SIGHT.addresses().includes('127.0.0.1'))
  t.type(REAL_SIGHT.defaultRoutes(), 'string')
})
