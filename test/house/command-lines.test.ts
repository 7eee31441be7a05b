import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/command.ts'
import { LONG } from '../support/tools.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What package.json runs with wrong words behind it: file, words, what the one line has to name. */
const WRONG: readonly (readonly [file: string, words: readonly string[], said: RegExp])[] = [
  ['test/bench/bench.ts', ['bulk', 'WRONG'], /WRONG.*bulk.*start/],
  ['test/bench/bench.ts', ['--rounds', 'some'], /--rounds some/],
  ['test/bench/bench.ts', ['--wrong'], /--wrong/],
  ['test/bench/lines.ts', ['WRONG'], /WRONG/],
  ['test/bench/chart.ts', ['none.json'], /none\.json/],
  ['test/bench/chart.ts', [], /FIGURES\.json/],
  ['test/bench/chart.ts', ['tsconfig.json'], /tsconfig\.json/],
  ['test/demo/demo.ts', ['--wrong'], /--wrong/],
  ['test/lab/run.ts', ['r04', 'WRONG'], /WRONG.*r04-address/],
  ['scripts/mutants.ts', ['WRONG'], /WRONG.*01-no-trim/],
  ['scripts/package.ts', ['--programs', 'edge,WRONG'], /WRONG.*edge, agent/],
  ['scripts/package.ts', ['--arch', 'WRONG'], /WRONG.*x64, arm64/],
  ['scripts/package.ts', ['--wrong'], /--wrong/],
  ['scripts/test.ts', ['test/house/WRONG.test.ts'], /WRONG\.test\.ts/],
]

t.test('figures without a row draw no empty picture', async (t) => {
  const figures = join(t.testdir({ 'figures.json': '[]' }), 'figures.json')
  const chart = [process.execPath, '-C', 'engawa-source', join(ROOT, 'test/bench/chart.ts'), figures] as const
  t.match(await run(chart, { cwd: ROOT }), { code: 2, stdout: '', stderr: /no row/ })
})

t.test('a wrong command line is told in one line, and nothing is run', { jobs: 2 }, async (t) => {
  // One of each in the short form.
  const chosen = WRONG.filter(([file], at) => LONG || WRONG[at - 1]?.[0] !== file)
  for (const [file, words, said] of chosen) {
    void t.test([file, ...words].join(' '), async (t) => {
      const result = await run([process.execPath, '-C', 'engawa-source', join(ROOT, file), ...words], { cwd: ROOT })
      t.match(result, { code: 2, stdout: '', stderr: said })
      t.match(result.stderr, /^[^\n]+\n$/, 'one line')
    })
  }
})
