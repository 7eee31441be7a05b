import t from 'tap'
import { rssOf } from '../support/process.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { edgeCommand, World, world } from '../support/world.ts'

const ROUNDS = LONG ? 3 : 1
const mib = (pid: number): number => Math.round(rssOf(pid) / 2 ** 20)
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

t.test('start to ready, and expose to the public address', async (t) => {
  const ready: number[] = []
  const published: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
    const here = await World.open()
    ready.push(performance.now() - startedAt)
    try {
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      const services = await here.services()
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      await here.join('home')
      const exposedAt = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      const { agent } = await here.publish('home', String(services.http))
      published.push(performance.now() - exposedAt)
      if (round === 0) {
        t.comment(`resident after start: edge ${mib(here.edge.pid)} MiB, agent ${mib(agent.pid)} MiB`)
      }
    } finally {
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      await here.close()
    }
  }
  t.comment(`start to ready: ${median(ready).toFixed(0)} ms (median of ${ROUNDS}, first start of an empty folder)`)
  t.comment(`expose to public address: ${median(published).toFixed(0)} ms`)
  t.ok(median(ready) < 4000 * PATIENCE)
  t.ok(median(published) < 4000 * PATIENCE)
})

t.test('a second start, SIGTERM, and a second edge on the same folder', async (t) => {
  const here = await world(t)
  const rival = here.start('second edge', edgeCommand('run', '--data', here.edgeData))
  const { code } = await rival.exited
  t.equal(code, 1, rival.report())
  t.match(rival.report(), new RegExp(String(here.edge.pid)), 'it says who runs')
  t.equal((await here.edge.stop()).code, 0, here.edge.report())
  const startedAt = performance.now()
  await here.startEdge()
  t.comment(`start to ready with state: ${Math.round(performance.now() - startedAt)} ms`)
})
