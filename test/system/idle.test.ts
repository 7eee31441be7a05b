// R5: idle TCP streams over several agents. Visitors and the service are processes of their own.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { cpuSecondsOf, rssOf } from '../support/process.ts'
import type { Program } from '../support/program.ts'
import { LONG } from '../support/tools.ts'
import { world } from '../support/world.ts'

const AGENTS = LONG ? 10 : 2
const STREAMS = LONG ? 1000 : 400
const IDLE_MS = Number(process.env['ENGAWA_IDLE_MS'] ?? (LONG ? 600_000 : 3000))
/** Of each stream. Few of them also bear what the programs grow by on their own, in steps of some MiB: 16 (seen: 20 to 34 KiB in all). */
const MOST_KIB = LONG ? 32 : 32 + (16 * 1024) / (AGENTS * STREAMS)
/** Of a core. Right after their start the programs still collect and compile, which weighs on few seconds. */
const MOST_PERCENT = LONG ? 5 : 10

t.test(`${AGENTS * STREAMS} idle streams over ${AGENTS} agents`, { timeout: IDLE_MS + 200_000 }, async (t) => {
  const here = await world(t)
  const { echo } = await here.services()
  const agents: Program[] = []
  const ports: number[] = []
  for (let index = 0; index < AGENTS; index++) {
    const who = `home${index}`
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await here.join(who)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { agent, tunnel } = await here.publish(who, `tcp://${echo}`)
    agents.push(agent)
    ports.push(tunnel.port)
  }
  const ours = [here.edge, ...agents].map(({ pid }) => pid)
  const sum = (of: (pid: number) => number): number => ours.reduce((total, pid) => total + of(pid), 0)
  const file = join(import.meta.dirname, '../support/idle-visitors.ts')
  const come = (idleMs: number): Program =>
    here.start('visitors', [process.execPath, file, JSON.stringify({ ports, each: STREAMS, idleMs })])
  // As many come and leave first, twice: what a program needs once, such as V8's room for young objects, no stream costs.
  for (let wave = 0; wave < 2; wave++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await come(0).until('checked', { deadlineMs: 120_000 })
  }
  const before = sum(rssOf)
  const edgeBefore = rssOf(here.edge.pid)
  const visitors = come(IDLE_MS)
  await visitors.until('inside', { deadlineMs: 120_000 })
  const perStream = (bytes: number): number => bytes / (AGENTS * STREAMS) / 1024
  const each = perStream(sum(rssOf) - before)
  const ofEdge = perStream(rssOf(here.edge.pid) - edgeBefore)
  const busyBefore = sum(cpuSecondsOf)
  const since = performance.now()
  await delay(IDLE_MS)
  const share = ((sum(cpuSecondsOf) - busyBefore) / (performance.now() - since)) * 1e5
  t.match(await visitors.until('checked', { deadlineMs: 120_000 }), { dropped: 0, answered: AGENTS * STREAMS })
  t.comment(
    `${AGENTS * STREAMS} streams idle for ${IDLE_MS / 1000} s: ${each.toFixed(1)} KiB each in all (edge ${ofEdge.toFixed(1)}, agents ${(each - ofEdge).toFixed(1)}), ${share.toFixed(1)} % of a core`,
  )
  t.ok(each <= MOST_KIB, `${each.toFixed(1)} KiB`)
  t.ok(share <= MOST_PERCENT, `${share.toFixed(1)} %`)
})
