import { join } from 'node:path'
import { routeHttp } from '@engawa/edge/route/route'
import { openStore } from '@engawa/edge/store/store'
import t, { type Test } from 'tap'
import { gate } from '../support/gate.ts'

interface Figures {
  readonly startMs: number
  readonly routeUs: number
  readonly bytes: number
}

/** An edge that starts with so many names in its store. */
function measure(t: Test, names: number): Figures {
  const folder = t.testdir({})
  const store = openStore(join(folder, 'edge.db'))
  store.agents.add({ name: 'home', key: Buffer.alloc(32), grant: { hosts: [] }, now: 0 })
  const rest = { hosts: [], path: undefined, ports: undefined, target: '8080', bare: false, balance: false } as const
  const rules = { allow: [], deny: [] }
  store.transaction(() => {
    for (let at = 0; at < names; at++)
      store.leases.put({ name: `n${at}`, agent: 1, protocol: 'http', ...rest, published: true, rules }, 0)
  })
  store.close()
  const [heap, since] = [process.memoryUsage().heapUsed, performance.now()]
  const { registry } = gate(t, { folder })
  const startMs = performance.now() - since
  const bytes = (process.memoryUsage().heapUsed - heap) / names
  const authorities = Array.from({ length: names }, (_, at) => ({ name: `n${at}.example.com`, literal: false }))
  const rounds: number[] = []
  for (let round = 0; round < 21; round++) {
    const from = performance.now()
    for (let at = 0; at < 1000; at++) {
      const authority = authorities[at % names] ?? { name: '', literal: false }
      routeHttp(registry, { authority, path: '/a/b', domain: 'example.com' })
    }
    rounds.push(performance.now() - from)
  }
  t.equal(registry.byHost(`n${names - 1}.example.com`, '/')?.name, `n${names - 1}`)
  t.equal(registry.byHost('stranger.example.com', '/'), undefined)
  return { startMs, bytes, routeUs: rounds.toSorted((a, b) => a - b)[10] ?? 0 }
}

t.test('start, memory and the time to route a request, with 10 names and with 1,000', async (t) => {
  const figures = new Map<number, Figures>()
  for (const names of [10, 1000]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await t.test(`${names} names`, async (t) => {
      const found = measure(t, names)
      figures.set(names, found)
      const { startMs, routeUs, bytes } = found
      const heap = `${Math.round(bytes / 1024)} KiB of heap a name`
      t.comment(`${names} names: ready in ${startMs.toFixed(1)} ms, routed in ${routeUs.toFixed(2)} µs, ${heap}`)
    })
  }
  // Wide: what is to be caught is a search through all names.
  t.ok((figures.get(1000)?.routeUs ?? 0) < (figures.get(10)?.routeUs ?? 0) * 10 + 20)
})
