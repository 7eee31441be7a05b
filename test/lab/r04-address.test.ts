// R4. The agent's address changes in the middle of transfers: another one, another family, both.
import t from 'tap'
import { LONG, PATIENCE } from '../support/tools.ts'
import { moment } from './faults.ts'
import { lab, p95, told, Visitors } from './lab.ts'
import { type Addresses, HOME, withoutLab } from './network.ts'

const MOVES: readonly Addresses[] = [
  { v4: '192.168.1.30' },
  { v6: '2001:db8:3::30' },
  { v4: '192.168.1.31', v6: '2001:db8:3::31' },
  HOME,
]
const TRIES = LONG ? 20 : 4
const MOST_MS = 3000 * PATIENCE

t.test('R4: the agent’s address changes', { skip: withoutLab() }, async (t) => {
  const here = await lab(t)
  const seconds = TRIES * 2
  const visitors = new Visitors(here, { seed: 'moves', streams: 20, bytes: 1024 * 1024, seconds, sockets: 5 })
  await visitors.under()
  const pauses: number[] = []
  for (let turn = 0; turn < TRIES; turn++) {
    here.network.moveAgent(MOVES[turn % MOVES.length] ?? HOME)
    // oxlint-disable-next-line no-await-in-loop -- one move after the other
    pauses.push(await visitors.pause(moment()))
  }
  t.same(await visitors.faulty(), [], 'every stream went on')
  t.comment(`R4 a new address: the slowest stream went on after ${told(pauses)}`)
  t.ok(p95(pauses) <= MOST_MS, told(pauses))
})
