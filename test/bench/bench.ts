// `npm run bench`: the product beside what people would use instead, taking turns. `npm run bench -- NAME…` runs the rows
// whose names begin so, `--rounds N` how often each, `--json FILE` writes the figures.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { figuresOf, type Measured, print } from './figures.ts'
import { ROWS, type Row, type Sample } from './rows.ts'
import { start } from './start.ts'
import { type WayName, Ways } from './ways.ts'

/** Each round goes through all ways of all rows; the first one only warms up. */
async function measure(rows: readonly Row[], ways: Ways, rounds: number): Promise<Measured[]> {
  const measured = rows.map((row) => ({ row, samples: new Map<WayName, Sample[]>() }))
  for (let round = -1; round < rounds; round++) {
    for (const { row, samples } of measured) {
      for (const name of row.ways) {
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        const way = await ways.get(name)
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        if (round < 0) await (row.warmUp ?? row.sample)(way)
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        else samples.set(name, [...(samples.get(name) ?? []), await row.sample(way)])
      }
    }
  }
  return measured
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' } },
})
// Held against a figure, not against another way: only where it is named.
if (positionals.includes('start') && !(await start())) process.exitCode = 1
const rows = ROWS.filter(({ id }) => positionals.length === 0 || positionals.some((name) => id.startsWith(name)))
if (rows.length === 0 && !positionals.includes('start'))
  throw new Error(`no such row; there are ${ROWS.map(({ id }) => id).join(', ')}`)
const ways = new Ways()
try {
  const figures = (await measure(rows, ways, Number(values.rounds))).map(figuresOf)
  print(figures)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`)
} finally {
  await ways.close()
}
