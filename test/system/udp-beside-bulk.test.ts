// Visitors, their services and the bulk are processes of their own: what a busy one of them costs is not the tunnel's.
import { join } from 'node:path'
import t from 'tap'
import { LONG } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** 50 a second. */
const EVERY_MS = 20
const COUNT = LONG ? 500 : 100
/** Alone and beside in turn: what the machine does meanwhile falls on both. In the short form one that is well is enough. */
const ROUNDS = 3
const MOST_LOST = COUNT / (LONG ? 10 : 4)
/** Of 100 the p99 is the worst one, and beside other tests theirs as well: in the short form the median tells. */
const MOST_RISE_MS = LONG ? { p50: 30, p99: 30 } : { p50: 300, p99: 1000 }

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly lost: number
}

t.test('fifty datagrams a second beside a bulk transfer', { timeout: 280_000 }, async (t) => {
  const here = await world(t)
  const run = (name: string, file: string, ...args: string[]) =>
    here.start(name, [process.execPath, join(import.meta.dirname, '../support', file), ...args])
  const echo = run('echo', 'udp-echo.ts')
  const source = run('source', 'pour.ts', 'from')
  await here.join('home')
  const [{ port: udp }, { port: tcp }] = await Promise.all([echo.until('ready'), source.until('ready')])
  const { tunnels } = await here.publish('home', [`udp://${String(udp)}`, `tcp://${String(tcp)}`])
  const of = (protocol: string): number => tunnels.find((tunnel) => tunnel.protocol === protocol)?.port ?? 0
  const flow = async (): Promise<Figures> => {
    const visitor = run('visitor', 'paced.ts', JSON.stringify({ port: of('udp'), count: COUNT, everyMs: EVERY_MS }))
    return (await visitor.until('figures')) as unknown as Figures
  }
  const rises: Figures[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    const alone = await flow()
    const bulk = run('bulk', 'pour.ts', 'to', String(of('tcp')))
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    await bulk.until('poured')
    const after = bulk.mark
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    const beside = await flow()
    const rates = bulk.events.slice(after).map(({ bytes }) => Number(bytes) / 1e6)
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    await bulk.kill()
    const rise = { p50: beside.p50 - alone.p50, p99: beside.p99 - alone.p99, lost: beside.lost }
    rises.push(rise)
    t.comment(
      `p50 ${alone.p50.toFixed(1)}, p99 ${alone.p99.toFixed(1)} ms alone; ${beside.p50.toFixed(1)}, ${beside.p99.toFixed(1)} ms beside ${(rates.reduce((a, b) => a + b, 0) / rates.length).toFixed(0)} MB/s; lost ${alone.lost} and ${beside.lost} of ${COUNT}`,
    )
    const isWell = rise.lost <= MOST_LOST && rise.p50 <= MOST_RISE_MS.p50 && rise.p99 <= MOST_RISE_MS.p99
    if (!LONG && isWell) break
  }
  const judged = LONG ? rises : rises.slice(-1)
  for (const { lost } of judged) t.ok(lost <= MOST_LOST, `${lost} lost`)
  for (const rank of ['p50', 'p99'] as const) {
    const sorted = judged.map((rise) => rise[rank]).toSorted((a, b) => a - b)
    const rise = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
    t.ok(rise <= MOST_RISE_MS[rank], `${rank} rises by ${rise.toFixed(1)} ms`)
  }
})
