// R6. Visitors come and go while the way fails again and again: what they get is right, and nothing is left behind.
import { parseDuration } from '@engawa/shared/quantities'
import t from 'tap'
import { COUNTING, type Counts, countsOf } from '../support/counting.ts'
import type { Event, Program } from '../support/program.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { type Lab, lab, Visitors } from './lab.ts'
import { HOME, withoutLab } from './network.ts'

const MIB = 1024 * 1024
/** `ENGAWA_SOAK=10m` chooses another length. */
const LENGTH_MS = parseDuration(process.env['ENGAWA_SOAK'] ?? (LONG ? '1h' : '25s'))
/** One fault in each; 25 s of short ones are all five kinds, and as much as a run of all tests has time for. */
const ROUND_MS = LENGTH_MS > 60_000 ? 30_000 : 5000
const ROUNDS = Math.round(LENGTH_MS / ROUND_MS)
/** The first round leaves compiled code and pools behind: the heap is compared from then on. V8 goes on for some minutes, which an hour has. */
const WARM_UP = LENGTH_MS >= 3_600_000 ? 20 : 1
/** As promised. Seen in a minute: up to 0.9 MiB more of late compilation, then level. */
const MOST_GROWTH = 2 * MIB
if (ROUNDS < WARM_UP + 2) throw new Error(`${ROUNDS} rounds leave nothing to compare: ENGAWA_SOAK is too short`)
const MOST_SLOPE = MIB
const HOUR_MS = 3_600_000
const LINE_BACK_MS = 15_000
/** Between two looks; what is written together waits for half a second. */
const LOOK_MS = 700

type Fault = (here: Lab) => unknown
const FAULTS: Readonly<Record<string, Fault>> = {
  'every carrier reset': ({ faults }) => faults.reset(),
  'packets dropped for 2 s': ({ faults }) => faults.dropSilently(2000),
  'NAT rebinding': ({ faults }) => faults.rebindNat(),
  'another address': ({ network }) => network.moveAgent({ v4: '192.168.1.50' }),
  'the old addresses again': ({ network }) => network.moveAgent(HOME),
}

// Whoever runs this allows 15 minutes, which an hour does not fit into.
t.setTimeout(LENGTH_MS * 1.5 + 900_000)

t.test('R6: a soak with churn and faults', { skip: withoutLab(), timeout: LENGTH_MS * 1.5 + 180_000 }, async (t) => {
  // Else a full collection drops code that has not run lately: 5 MiB of it, behind which as much could be lost unseen.
  const nodeFlags = [...COUNTING, '--no-flush-bytecode']
  const here = await lab(t, { nodeFlags })
  const programs = { edge: here.here.edge, agent: here.agent }
  const heaps: Record<keyof typeof programs, number[]> = { edge: [], agent: [] }
  // A second carrier that came later would be one more at the end.
  for (let carriers = 0; carriers < 2; ) {
    // oxlint-disable-next-line no-await-in-loop -- until both stand
    const { stdout } = await here.here.agentDo('home', 'status', '--json')
    carriers = (JSON.parse(stdout || '{}') as { carriers?: unknown[] }).carriers?.length ?? 0
  }
  const start = await atRest(programs)
  const faults = Object.entries(FAULTS)
  let visitors = 0
  for (let round = 0; round < ROUNDS; round++) {
    const [, fault] = faults[round % faults.length] as [string, Fault]
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    const { faulty, parties } = await play(here, `round ${round}`, fault)
    t.same(faulty, [], `round ${round}: no byte lost, doubled or reordered, no WebSocket closed`)
    visitors += parties
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    const rest = await atRest(programs)
    for (const name of ['edge', 'agent'] as const) heaps[name].push(rest[name].heap)
    if (round % 10 === 9) t.comment(`R6 round ${round}: ${mib(rest.edge.heap)} and ${mib(rest.agent.heap)} MiB`)
  }
  const end = await atRest(programs, start)
  t.comment(`R6 ${ROUNDS} rounds of ${ROUND_MS / 1000} s, a fault in each, ${visitors} parties of visitors`)
  for (const name of ['edge', 'agent'] as const) {
    const { heap, sockets, timers, streams } = end[name]
    const left = { sockets, timers, streams }
    t.match(start[name], left, `${name}: sockets, timers and streams are back at the start`)
    const [from = heap] = heaps[name].slice(WARM_UP)
    const slope = slopeOf(heaps[name].slice(WARM_UP)) * (HOUR_MS / ROUND_MS)
    const told = `${mib(from)} → ${mib(heap)} MiB, slope ${mib(slope)} MiB/h; ${JSON.stringify(left)}`
    t.comment(`R6 ${name}: heap after a forced collection ${told}`)
    if (LENGTH_MS >= HOUR_MS) t.ok(slope <= MOST_SLOPE, `${name}: ${mib(slope)} MiB/h`)
    else t.ok(heap - from <= MOST_GROWTH, `${name}: ${mib(heap - from)} MiB more`)
  }
})

/** Some stay for the whole round, others come and go; the fault is in the middle. */
async function play(here: Lab, seed: string, fault: Fault): Promise<{ faulty: Event[]; parties: number }> {
  const endsAt = performance.now() + ROUND_MS
  const staying = new Visitors(here, { seed, streams: 8, bytes: MIB, seconds: (ROUND_MS / 1000) * 0.7, sockets: 4 })
  await staying.under()
  const failing = fault(here)
  const faulty: Event[] = []
  let parties = 1
  while (performance.now() < endsAt - 1000) {
    const fleeting = { seed: `${seed} ${parties++}`, streams: 10, bytes: MIB / 4, seconds: 0, sockets: 2 }
    // oxlint-disable-next-line no-await-in-loop -- one party after the other
    faulty.push(...(await new Visitors(here, fleeting).faulty()))
  }
  await failing
  faulty.push(...(await staying.faulty()))
  return { faulty, parties }
}

/** What each program holds once no stream is left and nothing has changed between two looks; waits until that is as at `start`. */
async function atRest<Name extends string>(
  programs: Readonly<Record<Name, Program>>,
  start?: Readonly<Record<Name, Counts>>,
): Promise<Record<Name, Counts>> {
  const names = Object.keys(programs) as Name[]
  const until = performance.now() + LINE_BACK_MS * PATIENCE
  for (let before = start; ; ) {
    // oxlint-disable-next-line no-await-in-loop -- until they are at rest
    const found = await Promise.all(names.map((name) => countsOf(programs[name])))
    const all = Object.fromEntries(names.map((name, index) => [name, found[index]])) as Record<Name, Counts>
    const wanted = before
    const isAtRest = names.every((name) => wanted !== undefined && isSame(all[name], wanted[name]))
    if (isAtRest || performance.now() > until) return all
    before = start ?? all
    // oxlint-disable-next-line no-await-in-loop -- until they are at rest
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}

function isSame(a: Counts, b: Counts): boolean {
  return a.streams === 0 && a.sockets === b.sockets && a.timers === b.timers && b.streams === 0
}

/** Of a line through these values, per step: least squares. */
function slopeOf(values: readonly number[]): number {
  const mean = (values.length - 1) / 2
  const sum = values.reduce((total, value, index) => total + (index - mean) * value, 0)
  const spread = values.reduce((total, _, index) => total + (index - mean) ** 2, 0)
  return spread === 0 ? 0 : sum / spread
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(2)
}
