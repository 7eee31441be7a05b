// `npm run bench`: the product beside what people would use instead, taking turns. `npm run bench -- NAME…` runs the rows
// whose names begin so, `--rounds N` how often each, `--json FILE` writes the figures.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ROWS, type Row, type Sample } from './rows.ts'
import { type Way, type WayName, Ways } from './ways.ts'

interface Measured {
  readonly row: Row
  readonly samples: ReadonlyMap<WayName, Sample[]>
}

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export interface Figures {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly speedUnit: string | undefined
  readonly ways: Readonly<Partial<Record<WayName, { readonly value: Spread; readonly speed: Spread }>>>
  readonly against: WayName
  /** Of each round: the first way's figure divided by the second's. */
  readonly ratio: Spread
  readonly reach: Row['reach']
  readonly reached: boolean
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  return { median: at(sorted.length >> 1), least: at(0), most: at(sorted.length - 1) }
}

/** Each round goes through all ways of all rows; the first one only warms up. */
async function measure(rows: readonly Row[], ways: Ways, rounds: number): Promise<Measured[]> {
  const measured = rows.map((row) => ({ row, samples: new Map<WayName, Sample[]>() }))
  for (let round = -1; round < rounds; round++) {
    for (const { row, samples } of measured) {
      for (const name of row.ways) {
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        const way: Way = await ways.get(name)
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        const sample = await row.sample(way)
        if (process.env['ENGAWA_BENCH_LOG'] === '1') console.error(row.id, name, round, sample)
        if (round >= 0) samples.set(name, [...(samples.get(name) ?? []), sample])
      }
    }
  }
  return measured
}

function figuresOf({ row, samples }: Measured): Figures {
  const of = (name: WayName): Sample[] => samples.get(name) ?? []
  const [own, against] = row.ways
  const ratio = spread(of(own).map(({ value }, round) => value / (of(against)[round]?.value ?? Number.NaN)))
  const { id, title, unit, speedUnit, reach } = row
  return {
    id,
    title,
    unit,
    speedUnit,
    ways: Object.fromEntries(
      row.ways.map((name) => [
        name,
        { value: spread(of(name).map(({ value }) => value)), speed: spread(of(name).map(({ speed = 0 }) => speed)) },
      ]),
    ),
    against,
    ratio,
    reach,
    reached: 'most' in reach ? ratio.median <= reach.most : ratio.median >= reach.least,
  }
}

function print(figures: readonly Figures[]): void {
  for (const { id, title, unit, speedUnit, ways, against, ratio, reach, reached } of figures) {
    const wanted = 'most' in reach ? `at most ${reach.most}` : `at least ${reach.least}`
    const range = `${short(ratio.least)}–${short(ratio.most)}`
    console.log(`\n${title} (${id})`)
    for (const [name, { value, speed }] of Object.entries(ways)) {
      const beside = speedUnit === undefined ? '' : `   ${short(speed.median)} ${speedUnit}`
      console.log(
        `  ${name.padEnd(13)}${short(value.median).padStart(8)} ${unit} (${short(value.least)}–${short(value.most)})${beside}`,
      )
    }
    console.log(
      `  to ${against}: ${short(ratio.median)} (${range}), wanted ${wanted}: ${reached ? 'reached' : 'NOT reached'}`,
    )
  }
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' } },
})
const rows = ROWS.filter(({ id }) => positionals.length === 0 || positionals.some((name) => id.startsWith(name)))
if (rows.length === 0) throw new Error(`no such row; there are ${ROWS.map(({ id }) => id).join(', ')}`)
const ways = new Ways()
try {
  const figures = (await measure(rows, ways, Number(values.rounds))).map(figuresOf)
  print(figures)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`)
} finally {
  await ways.close()
}
