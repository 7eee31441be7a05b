// R2. kill -9 the edge and start it again: how soon the agent is back, with the same names and ports.
import t from 'tap'
import { LONG, PATIENCE } from '../support/tools.ts'
import { moment } from './faults.ts'
import { lab, p95, told, Visitors } from './lab.ts'
import { withoutLab } from './network.ts'

const TRIES = LONG ? 20 : 3
/** From the edge's listening, for 95 of 100. */
const MOST_MS = 800 * PATIENCE
/** From the edge's death to the end of its visitors. */
const VISITORS_MS = 1000 * PATIENCE

t.test('R2: kill -9 the edge', { skip: withoutLab() }, async (t) => {
  const here = await lab(t)
  const { here: world, agent } = here
  const tunnels = agent.events.filter(({ event }) => event === 'tunnel').map((event) => event['public'])

  await t.test('its visitors are closed at once', async (t) => {
    const visitors = new Visitors(here, { seed: 'killed', streams: 20, bytes: 1024 * 1024, seconds: 60, sockets: 0 })
    await visitors.under()
    const diedAt = moment()
    await world.edge.kill()
    await visitors.program.until('done')
    t.ok(moment() - diedAt < VISITORS_MS)
    t.comment(`R2 visitors of a killed edge: all closed after ${Math.round(moment() - diedAt)} ms`)
    await world.startEdge()
  })

  const tookMs: number[] = []
  for (let turn = 0; turn < TRIES; turn++) {
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await world.edge.until(({ event, name }) => event === 'tunnel_open' && name === 'home', { witnesses: [agent] })
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await world.edge.kill()
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await world.startEdge()
    const readyAt = moment()
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await world.edge.until(({ event, name }) => event === 'tunnel_open' && name === 'home', { witnesses: [agent] })
    tookMs.push(moment() - readyAt)
  }
  t.comment(`R2 kill -9 of the edge, one agent: back after ${told(tookMs)}`)
  t.ok(p95(tookMs) <= MOST_MS, told(tookMs))
  const visitors = new Visitors(here, { seed: 'after', streams: 5, bytes: 1024, seconds: 0, sockets: 2 })
  t.same(await visitors.faulty(), [], 'the same ports and names serve again')
  t.same(
    new Set(agent.events.filter(({ event }) => event === 'tunnel').map((event) => event['public'])),
    new Set(tunnels),
  )
})
