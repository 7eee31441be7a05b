import { routeHttp } from '@engawa/edge/route/route'
import t, { type Test } from 'tap'
import { gate } from '../support/gate.ts'

/** Median µs to route a request, over all names. */
async function routed(t: Test, names: number): Promise<{ us: number; bytes: number }> {
  const { promise, resolve } = Promise.withResolvers<{ us: number; bytes: number }>()
  await t.test(`${names} names`, async (t) => {
    const before = process.memoryUsage().heapUsed
    const { agent, registry } = gate(t)
    for (let from = 0; from < names; from += 100) {
      // oxlint-disable-next-line no-await-in-loop -- an agent holds a hundred names at most
      const home = await agent(`a${from}`).login()
      for (let at = from; at < Math.min(names, from + 100); at++) {
        // oxlint-disable-next-line no-await-in-loop
        await home.bind({ service: at + 1, name: `n${at}` })
      }
    }
    const authorities = Array.from({ length: names }, (_, at) => ({ name: `n${at}.example.com`, literal: false }))
    const rounds: number[] = []
    for (let round = 0; round < 21; round++) {
      const since = performance.now()
      for (let at = 0; at < 10_000; at++) {
        const authority = authorities[at % names] ?? { name: '', literal: false }
        routeHttp(registry, { authority, path: '/a/b', domain: 'example.com' })
      }
      rounds.push((performance.now() - since) / 10)
    }
    const us = rounds.toSorted((a, b) => a - b)[10] ?? 0
    const bytes = (process.memoryUsage().heapUsed - before) / names
    t.equal(registry.byHost(`n${names - 1}.example.com`, '/')?.name, `n${names - 1}`)
    t.equal(registry.byHost('stranger.example.com', '/'), undefined)
    resolve({ us, bytes })
  })
  return promise
}

t.test('the time to route a request is the same with 1,000 names as with 10', async (t) => {
  const few = await routed(t, 10)
  const many = await routed(t, 1000)
  t.comment(`a request is routed in ${few.us.toFixed(2)} µs with 10 names, ${many.us.toFixed(2)} µs with 1,000`)
  t.comment(`about ${Math.round(many.bytes / 1024)} KiB of heap a name`)
  // Wide: what is to be caught is a search through all names.
  t.ok(many.us < few.us * 10 + 20)
})
