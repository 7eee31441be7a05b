// R13. A line that loses 5 % of its packets and carries 1 Mbit/s: everything arrives, and no carrier is taken for dead.
import t from 'tap'
import { LONG } from '../support/tools.ts'
import { type Faults, moment } from './faults.ts'
import { lab, Visitors } from './lab.ts'
import { withoutLab } from './network.ts'

const STREAMS = LONG ? 64 : 16
const SIZE = (LONG ? 64 : 16) * 1024

t.test('R13: 5 % loss at 1 Mbit/s', { skip: withoutLab() }, async (t) => {
  const here = await lab(t, { line: bad })
  const after = here.agent.mark
  const startedAt = moment()
  const visitors = new Visitors(here, { seed: 'bad', streams: STREAMS, bytes: SIZE, seconds: 0, sockets: 0 })
  t.same(await visitors.faulty(LONG ? 400_000 : 150_000), [], 'every byte came back')
  const tookMs = moment() - startedAt
  const lost = here.agent.events.slice(after).filter(({ event }) => event === 'carrier_lost')
  const mbit = (STREAMS * SIZE * 8) / tookMs / 1000
  t.comment(`R13 ${STREAMS} streams, ${SIZE / 1024} KiB each way: ${Math.round(tookMs)} ms, ${mbit.toFixed(2)} Mbit/s`)
  t.equal(lost.length, 0, 'no carrier was taken for dead')
})

function bad(faults: Faults): void {
  faults.limit('1mbit')
  faults.lose(5)
}
