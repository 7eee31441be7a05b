// R7. A LAN, a slow line and a long one: the rate does not collapse, and no carrier is taken for dead.
import t from 'tap'
import { LONG, PATIENCE } from '../support/tools.ts'
import { moment } from './faults.ts'
import { download, type Lab, lab, lengthen, Visitors } from './lab.ts'
import { withoutLab } from './network.ts'

const SECONDS = LONG ? 20 : 3
const KIB = 1024
/** Over the slow line. */
const STREAMS = LONG ? 32 : 4
const SIZE = (LONG ? 32 : 8) * KIB
/** Of the best second, what every other one has at least. */
const LEAST = 0.6 / PATIENCE

t.test('R7: one agent on three lines', { skip: withoutLab() }, async (t) => {
  const here = await lab(t)

  await t.test('a LAN of 0.1 ms', async (t) => {
    const after = here.agent.mark
    const each = await download(here, SECONDS)
    t.comment(`a LAN: ${told(each)}`)
    t.ok(isSteady(each), told(each))
    t.same(lost(here, after), [], 'no carrier was taken for dead')
  })

  await t.test('100 kbit/s on a sudden, to two carriers that have seen nothing but a fast line', async (t) => {
    const after = here.agent.mark
    here.faults.limit('100kbit')
    const startedAt = moment()
    const visitors = new Visitors(here, { seed: 'slow', streams: STREAMS, bytes: SIZE, seconds: 0, sockets: 0 })
    t.same(await visitors.faulty(LONG ? 400_000 : 100_000), [], 'every byte came back')
    const tookMs = moment() - startedAt
    const kbit = (STREAMS * SIZE * 8) / tookMs
    t.comment(
      `100 kbit/s: ${STREAMS} streams, ${SIZE / KIB} KiB each way: ${Math.round(tookMs)} ms, ${Math.round(kbit)} kbit/s`,
    )
    if (LONG) t.ok(kbit > 60, `${kbit} kbit/s`)
    t.same(lost(here, after), [], 'no carrier was taken for dead')
    here.faults.unlimit()
  })

  await t.test('400 Mbit/s with 20 ms there and back', async (t) => {
    await lengthen(here, { delayMs: 10, rate: 50_000 })
    await dialAnew(here)
    const after = here.agent.mark
    const each = await download(here, SECONDS)
    t.comment(`400 Mbit/s, 20 ms: ${told(each)}`)
    t.ok(isSteady(each), told(each))
    t.same(lost(here, after), [], 'no carrier was taken for dead')
  })
})

/** Both carriers end, so that others go over the line as it is now. */
async function dialAnew({ here, faults, agent }: Lab): Promise<void> {
  const after = agent.mark
  let ended = 0
  faults.reset()
  // It asks each of them, and what is asked is answered by RST.
  await here.agentDo('home', 'status', '--json')
  await agent.until(({ event }) => event === 'carrier_lost' && ++ended === 2, { after, witnesses: [here.edge] })
}

function isSteady([, ...each]: readonly number[]): boolean {
  return Math.min(...each) > LEAST * Math.max(...each)
}

function told(each: readonly number[]): string {
  return `${each.map((bytes) => Math.round((bytes * 8) / 1e6)).join(' ')} Mbit in each second`
}

function lost({ agent }: Lab, after: number): readonly unknown[] {
  return agent.events.slice(after).filter(({ event }) => event === 'carrier_lost')
}
