// R1, its end. Nothing comes back within the grace: visitors and services get RST, never an end that looks whole.
import t from 'tap'
import { lab, Visitors } from './lab.ts'
import { withoutLab } from './network.ts'

const STREAMS = 20
/** What the lab's agent publishes. */
const TUNNELS = 3
/** More than it takes to notice, and the grace. */
const LOST_MS = 17_000

t.test('R1: past the grace visitors get RST', { skip: withoutLab() }, async (t) => {
  const here = await lab(t, { edgeFlags: ['--grace', '1s'] })
  const party = { streams: STREAMS, bytes: 1024 * 1024, sockets: 0 }
  const visitors = new Visitors(here, { ...party, seed: 'before', seconds: 60 })
  await visitors.under()
  const { edge } = here.here
  const before = edge.mark
  const dropped = here.faults.dropSilently(LOST_MS)
  const ends = await visitors.faulty()
  t.equal(ends.length, STREAMS)
  t.ok(ends.every(({ event, code }) => event === 'reset' && code === 'ECONNRESET'))
  t.comment(`R1 past the grace: ${ends.length} of ${STREAMS} streams were reset, none ended`)
  await dropped
  // A port whose grace has passed listens again with its agent's return, not with the path's.
  const back = new Set<unknown>()
  await edge.until(({ event, name }) => event === 'tunnel_open' && back.add(name).size === TUNNELS, { after: before })
  const again = new Visitors(here, { ...party, seed: 'after', seconds: 0 })
  t.same(await again.faulty(), [], 'new visitors are served')
})
