// `npm run bench -- mixed`: a mixed load at a steady rate, for 40 s or, with ENGAWA_LONG=1, ten minutes. What edge and
// agent hold has to stay level, and no event loop of theirs may come late.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { COUNTING, countsOf } from '../support/counting.ts'
import { cpuSecondsOf, familyOf, rssOf } from '../support/process.ts'
import type { Program } from '../support/program.ts'
import { LONG } from '../support/tools.ts'
import { World } from '../support/world.ts'
import { type Entries, mix, Tally } from './mixture.ts'

const LENGTH_MS = LONG ? 600_000 : 40_000
const LOOKS = 10
/** The first looks find pools and compiled code still growing. */
const WARM_UP = 2
const MOST_DELAY_MS = 20
const MOST_CPU = 0.6
const MIB = 1024 * 1024
/** As in R6, of the heap after a forced collection; memory of the process also has what the allocator has not given back, and so early what V8 still adds to its young space. */
const MOST_GROWTH = { heap: 2 * MIB, rss: (LONG ? 8 : 32) * MIB }

interface Look {
  readonly heap: number
  readonly rss: number
}

interface Delays {
  readonly p50: number
  readonly p99: number
  readonly most: number
}

/** What one program showed at each look, and how late the loops of its processes have come. */
class Watched {
  readonly name: string
  readonly looks: Look[] = []
  readonly delays = new Map<string, Delays>()
  readonly #program: Program
  #cpu = 0

  constructor(name: string, program: Program) {
    this.name = name
    this.#program = program
    this.#cpu = cpuSecondsOf(program.pid)
  }

  async look(): Promise<void> {
    const { pid } = this.#program
    const rss = rssOf(pid)
    const after = this.#program.mark
    const { heap } = await countsOf(this.#program)
    const family = familyOf(pid)
    // The generation was asked by `countsOf`.
    if (family.length > 1) process.kill(pid, 'SIGUSR2')
    for (const [index, each] of family.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one process after the other
      const said = await this.#program.until((event) => event.event === 'loop' && event['pid'] === each, { after })
      const name = family.length === 1 ? this.name : `${this.name}, ${index === 0 ? 'front' : 'generation'}`
      const { p50, p99, most } = said as unknown as Delays
      this.delays.set(name, { p50, p99, most })
    }
    this.looks.push({ heap, rss })
  }

  /** CPU-seconds since it was last asked. */
  cpu(): number {
    const before = this.#cpu
    this.#cpu = cpuSecondsOf(this.#program.pid)
    return this.#cpu - before
  }
}

/** Of a line through these values, per step: least squares. */
function slopeOf(values: readonly number[]): number {
  const mean = (values.length - 1) / 2
  const sum = (of: (value: number, at: number) => number): number =>
    values.reduce((total, value, at) => total + of(value, at), 0)
  return sum((value, at) => (at - mean) * value) / sum((_, at) => (at - mean) ** 2)
}

/** Says whether all of it held. */
function report(programs: readonly Watched[], tally: Tally, cpu: ReadonlyMap<string, number>): boolean {
  const verdicts: boolean[] = []
  const verdict = (held: boolean): string => {
    verdicts.push(held)
    return held ? 'held' : 'NOT held'
  }
  const done = Object.entries(tally.done).map(([kind, count]) => `${Math.round(count)} ${kind}`)
  console.log(`\na mixed load for ${LENGTH_MS / 1000} s: ${done.join(', ')}`)
  console.log(`  failures: ${tally.failures.length}: ${verdict(tally.failures.length === 0)}`)
  for (const failure of tally.failures.slice(0, 10)) console.log(`    ${failure}`)
  const total = [...cpu.values()].reduce((sum, share) => sum + share, 0)
  const shares = [...cpu].map(([name, share]) => `${name} ${percent(share)}`)
  console.log(
    `  CPU of one core: ${shares.join(', ')}, together ${percent(total)}, wanted at most ${percent(MOST_CPU)}: ${verdict(total <= MOST_CPU)}`,
  )
  for (const { name, looks, delays } of programs) {
    for (const [process, { p50, p99, most }] of delays) {
      console.log(
        `  loop of ${process}: late by ${p50.toFixed(1)} ms p50, ${p99.toFixed(1)} ms p99, ${most.toFixed(1)} ms at most, wanted p99 below ${MOST_DELAY_MS}: ${verdict(p99 < MOST_DELAY_MS)}`,
      )
    }
    const steady = looks.slice(WARM_UP)
    for (const part of ['heap', 'rss'] as const) {
      const values = steady.map((look) => look[part])
      const growth = slopeOf(values) * (values.length - 1)
      const shown = values.map((value) => (value / MIB).toFixed(1)).join(' ')
      const range = `by ${(growth / MIB).toFixed(2)} MiB over ${((LENGTH_MS / LOOKS) * (values.length - 1)) / 1000} s`
      console.log(
        `  ${part} of ${name}, MiB: ${shown}; grows ${range}, wanted at most ${MOST_GROWTH[part] / MIB}: ${verdict(growth <= MOST_GROWTH[part])}`,
      )
    }
  }
  return !verdicts.includes(false)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

async function entriesOf(here: World): Promise<{ entries: Entries; agent: Program }> {
  const services = here.start('services', [process.execPath, join(import.meta.dirname, 'service.ts')])
  const { bulk, echo, udp } = await services.until('ready')
  const web = await here.services()
  await here.join('home')
  const targets = [`${web.http}`, `tcp://${String(bulk)}`, `tcp://${String(echo)}`, `udp://${String(udp)}`]
  const { agent, tunnels } = await here.publish('home', targets)
  const [page, bulkTunnel, echoTunnel, udpTunnel] = tunnels
  const entries = {
    bulk: bulkTunnel?.port ?? 0,
    echo: echoTunnel?.port ?? 0,
    udp: udpTunnel?.port ?? 0,
    http: Number(here.http.split(':')[1]),
    https: Number(here.https.split(':')[1]),
    host: here.host(page?.name ?? ''),
  }
  return { entries, agent }
}

/** Whether everything held that is promised of such a load. */
export async function mixed(): Promise<boolean> {
  // Else a full collection drops code that has not run lately, behind which as much could be lost unseen.
  const nodeFlags = [...COUNTING, '--no-flush-bytecode', '--import', join(import.meta.dirname, 'watched.ts')]
  const here = await World.open({ nodeFlags })
  try {
    const { entries, agent } = await entriesOf(here)
    const programs = [new Watched('edge', here.edge), new Watched('agent', agent)]
    const tally = new Tally()
    const over = new AbortController()
    const load = mix(entries, tally, over.signal)
    for (const program of programs) program.cpu()
    const startedAt = performance.now()
    for (let look = 1; look <= LOOKS; look++) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      await delay((LENGTH_MS / LOOKS) * look - (performance.now() - startedAt))
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      for (const program of programs) await program.look()
    }
    const seconds = (performance.now() - startedAt) / 1000
    const cpu = new Map(programs.map((program) => [program.name, program.cpu() / seconds]))
    over.abort()
    await load
    return report(programs, tally, cpu)
  } finally {
    await here.close()
  }
}
