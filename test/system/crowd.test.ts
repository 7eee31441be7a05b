import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Program } from '../support/program.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const PROCESSES = LONG ? 20 : 2
const EACH = LONG ? 10 : 20
const DEATHS = LONG ? 3 : 1
/** From the edge's listening to the return of the last, milliseconds. */
const MOST_MS = 5000 * PATIENCE

async function invitations(here: World, names: readonly string[]): Promise<string[]> {
  const authorization = `Bearer ${readFileSync(join(here.edgeData, 'admin.token'), 'utf8').trim()}`
  const lines: string[] = []
  for (const name of names) {
    // oxlint-disable-next-line no-await-in-loop -- the API has a rate limit of its own
    const answer = await fetch(`http://${here.admin}/api/invitations`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    })
    lines.push(((await answer.json()) as { line: string }).line)
  }
  return lines
}

/** Once each agent of a process has said so. */
async function allOf(program: Program, event: string, after: number): Promise<void> {
  const said = new Set<unknown>()
  await program.until((each) => each.event === event && said.add(each['agent']).size === EACH, {
    after,
    deadlineMs: 60_000,
  })
}

/** When each of them was published again, milliseconds after the edge was ready, ascending. */
async function returned({ edge }: World, count: number, readyAt: number): Promise<number[]> {
  const at = new Map<unknown, number>()
  await edge.until(
    ({ event, name }) => {
      if (event === 'tunnel_open' && !at.has(name)) at.set(name, performance.now() - readyAt)
      return at.size === count
    },
    { deadlineMs: 60_000 },
  )
  return [...at.values()].toSorted((a, b) => a - b)
}

t.test('R2 kill -9 of the edge: a crowd of agents is back', { timeout: LONG ? 300_000 : 280_000 }, async (t) => {
  const here = await world(t)
  const services = await here.services('shared')
  const count = PROCESSES * EACH
  const crowd: Program[] = []
  for (let index = 0; index < PROCESSES; index++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const lines = await invitations(
      here,
      Array.from({ length: EACH }, (_, each) => `agent-${index}-${each}`),
    )
    const file = join(import.meta.dirname, '../../packages/agent/test/support/crowd.ts')
    const args = [here.folder(`crowd-${index}`), String(services.http), ...lines]
    const program = here.start(`crowd ${index}`, [process.execPath, '-C', 'engawa-source', file, ...args])
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await allOf(program, 'connected', 0)
    crowd.push(program)
  }
  const publics = (): string[] =>
    here.edge.events
      .filter(({ event }) => event === 'tunnel_open')
      .map((opened) => String(opened['public']))
      .toSorted((a, b) => a.localeCompare(b))
  await returned(here, count, 0)
  const before = publics()
  for (let death = 0; death < DEATHS; death++) {
    const marks = crowd.map(({ mark }) => mark)
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await here.edge.kill()
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    await here.startEdge()
    const readyAt = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one death after the other
    const took = (await returned(here, count, readyAt)).map(Math.round)
    const at = (share: number): number => took[Math.ceil(count * share) - 1] ?? 0
    t.comment(
      `R2 ${count} agents: back ${at(0)}, half ${at(0.5)}, p95 ${at(0.95)}, last ${at(1)} ms after the edge was ready`,
    )
    t.ok(at(1) <= MOST_MS, `last ${at(1)} ms`)
    t.same(publics(), before, 'no name was lost')
    // oxlint-disable-next-line no-await-in-loop -- the next death finds all of them with both their carriers
    await Promise.all(crowd.map((program, index) => allOf(program, 'connected', marks[index] ?? 0)))
    t.comment(
      `R2 ${count} agents: all have all carriers ${Math.round(performance.now() - readyAt)} ms after the edge was ready`,
    )
  }
})
