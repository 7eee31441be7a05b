// `npm run bench -- memory`: what an idle stream costs edge and agent. `npm test` holds fewer, in the end 10,000.
import { join } from 'node:path'
import { COUNTING, countsOf } from '../support/counting.ts'
import { rssOf } from '../support/process.ts'
import type { Program } from '../support/program.ts'
import { World } from '../support/world.ts'
import { short } from './figures.ts'

const STREAMS = 2000
/** An agent may have 2,048 streams. The first ones find pools and compiled code still growing. */
const FIRST = 1000
const MOST_KIB = 10

interface Held {
  readonly resident: number
  /** Of it, what V8 knows of: without what it keeps for itself. */
  readonly inUse: number
}

/** After a full collection. */
async function heldBy(program: Program): Promise<Held> {
  const { held } = await countsOf(program)
  return { resident: rssOf(program.pid), inUse: held }
}

async function enter(here: World, port: number, count: number): Promise<void> {
  const file = join(import.meta.dirname, '../support/idle-visitors.ts')
  const task = JSON.stringify({ ports: [port], each: count, idleMs: 2 ** 31 - 1 })
  const visitors = here.start(`${count} visitors`, [process.execPath, file, task])
  const { dropped } = await visitors.until('inside', { deadlineMs: 120_000 })
  if (dropped !== 0) throw new Error(`${String(dropped)} of ${count} visitors were dropped`)
}

/** Whether both hold no more than they may. */
export async function memory(): Promise<boolean> {
  const here = await World.open({ nodeFlags: COUNTING })
  try {
    const services = here.start('services', [process.execPath, join(import.meta.dirname, 'service.ts')])
    const { echo } = await services.until('ready')
    await here.join('home')
    const { agent, tunnel } = await here.publish('home', `tcp://${String(echo)}`)
    const both = { edge: here.edge, agent }
    await enter(here, tunnel.port, FIRST)
    const before = { edge: await heldBy(both.edge), agent: await heldBy(both.agent) }
    await enter(here, tunnel.port, STREAMS - FIRST)
    console.log(`\nmemory per idle stream, of ${STREAMS}, after a full collection`)
    let held = true
    for (const name of ['edge', 'agent'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const after = await heldBy(both[name])
      const each = (of: keyof Held): number => (after[of] - before[name][of]) / 1024 / (STREAMS - FIRST)
      // Resident swings by many times as much at so few streams: whole pages come and go.
      const fine = each('inUse') <= MOST_KIB
      held &&= fine
      const figures = `${short(each('inUse'))} KiB in use (${short(each('resident'))} resident)`
      console.log(`  ${name}: ${figures}; wanted at most ${MOST_KIB} in use: ${fine ? 'reached' : 'NOT reached'}`)
    }
    return held
  } finally {
    await here.close()
  }
}
