// `npm run bench`: the product beside what people would use instead, taking turns. `npm run bench -- NAME…` runs the rows
// whose names begin so, `--rounds N` how often each, `--json FILE` writes the figures. `mixed`, `memory` and `start`
// hold nothing against anything: they run only where they are named.
import { writeFileSync } from 'node:fs'
import { commandLine, demandKnown, refuse } from '../../scripts/command-line.ts'
import { check } from './checks.ts'
import { figuresOf, type Measured, print } from './figures.ts'
import { memory } from './memory.ts'
import { mixed } from './mixed.ts'
import { ROWS, type Row } from './rows.ts'
import type { Sample } from './samples.ts'
import { Standing } from './standing.ts'
import { start } from './start.ts'
import type { WayName } from './ways.ts'

/** Rounds that do not count: V8 has compiled what a request takes after some ten thousand of them. */
const WARM_UP = 3

/** Each round goes through all ways of all rows. */
async function measure(rows: readonly Row[], ways: Standing, rounds: number): Promise<Measured[]> {
  const measured = rows.map((row) => ({ row, samples: new Map<WayName, Sample[]>() }))
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const { row, samples } of measured) {
      // What rests before it cannot get warm.
      if (row.before !== undefined && round < -1) continue
      // oxlint-disable-next-line no-await-in-loop -- one row after the other
      const there = await ways.of(row)
      // oxlint-disable-next-line no-await-in-loop -- one row after the other
      if (row.before !== undefined) await Promise.all(there.map(row.before))
      for (const way of there) {
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        const sample = await row.sample(way).catch((cause: unknown) => {
          throw new Error(`${row.id} by ${way.name} failed`, { cause })
        })
        if (round >= 0) samples.set(way.name, [...(samples.get(way.name) ?? []), sample])
      }
    }
  }
  return measured.filter(({ samples }) => samples.size > 0)
}

const { values, positionals } = commandLine({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'string' } },
})
const ALONE = { mixed, memory, start }
const names = [...ROWS.map(({ id }) => id), ...Object.keys(ALONE)]
demandKnown(positionals, names, (word, name) => name.startsWith(word))
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds ${values.rounds}? A whole number, 1 at least`)
for (const [name, run] of Object.entries(ALONE)) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  if (positionals.includes(name) && !(await run())) process.exitCode = 1
}
const rows = ROWS.filter(({ id }) => positionals.length === 0 || positionals.some((name) => id.startsWith(name)))
const ways = new Standing()
try {
  const figures = (await measure(rows, ways, rounds)).map(figuresOf)
  print(figures)
  if (!check(figures) || ways.faulty) process.exitCode = 1
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`)
} finally {
  await ways.close()
}
