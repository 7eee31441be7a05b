// What keeping bytes for resending costs: CPU of edge and agent per GB of bulk, beside the same build with a ledger that
// forgets, taking turns. `node -C engawa-source test/bench/retention.ts`
import { join } from 'node:path'
import { cpuSecondsOf } from '../support/process.ts'
import { World } from '../support/world.ts'
import { bulk } from './load.ts'

const ROUNDS = Number(process.env['ENGAWA_ROUNDS'] ?? 5)
const BYTES = 384 * 1024 * 1024

interface Side {
  readonly world: World
  readonly pids: readonly number[]
  readonly port: number
  /** CPU-s per GB. */
  readonly costs: number[]
}

async function side(nodeFlags: readonly string[]): Promise<Side> {
  const world = await World.open({ nodeFlags })
  const services = world.start('services', [process.execPath, join(import.meta.dirname, 'service.ts')])
  const { bulk: target } = await services.until('ready')
  await world.join('home')
  const { agent, tunnel } = await world.publish('home', `tcp://${String(target)}`)
  return { world, pids: [world.edge.pid, agent.pid], port: tunnel.port, costs: [] }
}

async function sample({ pids, port }: Side): Promise<number> {
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
  const before = cpu()
  await bulk(port, BYTES)
  return (cpu() - before) / (BYTES / 1e9)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

const sides = [await side([]), await side(['--import', join(import.meta.dirname, 'forgetful.ts')])] as const
try {
  // The first round only warms up.
  for (let round = -1; round < ROUNDS; round++) {
    for (const each of sides) {
      // oxlint-disable-next-line no-await-in-loop -- the sides take turns, that is the point
      const cost = await sample(each)
      if (round >= 0) each.costs.push(cost)
    }
  }
  const [kept, forgotten] = sides.map(({ costs }) => median(costs)) as [number, number]
  console.log(`bulk with retention    ${kept.toFixed(3)} CPU-s/GB`)
  console.log(`bulk without           ${forgotten.toFixed(3)} CPU-s/GB`)
  console.log(`ratio                  ${(kept / forgotten).toFixed(3)} (median of ${ROUNDS} rounds; at most 1.10)`)
} finally {
  await Promise.all(sides.map(({ world }) => world.close()))
}
