// Runs the tests and closes with one plain line, "N passed, N failed". Arguments: file patterns, and options for tap.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { refuse } from './command-line.ts'
import { failures } from './failures.ts'
import { buildPrograms } from './package/programs.ts'
import { type Tally, tally } from './tally.ts'

/** `test/install` is a run of its own: npm run test:install. */
const EVERY = ['packages/*/test/**/*.test.ts', 'test/!(install)/**/*.test.ts']
const TAP = join(import.meta.dirname, '../node_modules/.bin/tap')

const options = process.argv.slice(2).filter((argument) => argument.startsWith('-'))
const patterns = process.argv.slice(2).filter((argument) => !argument.startsWith('-'))
const files = globSync(patterns.length > 0 ? patterns : EVERY).toSorted()

const missing = patterns.filter((pattern) => globSync(pattern).length === 0)
if (missing.length > 0) refuse(`no test at ${missing.join(', ')}`)

const { exitCode, passed, failed, skipped, told } = await run()
// The reporter leaves an escape sequence without a line end behind; the closing line must stand alone.
console.log()
for (const failure of told) console.log(`\n${failure}`)
for (const { name, why } of skipped) console.log(`skipped: ${name}${why && `: ${why}`}`)
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
process.exitCode = exitCode || (failed > 0 || passed === 0 ? 1 : 0)

async function run(): Promise<Tally & { exitCode: number; told: string[] }> {
  if (files.length === 0) return { exitCode: 1, passed: 0, failed: 0, skipped: [], told: [] }
  const folder = mkdtempSync(join(tmpdir(), 'engawa-test-'))
  try {
    const raw = join(folder, 'run.tap')
    const look = process.stdout.isTTY ? ['--reporter=base'] : ['--reporter=min', '--no-color']
    // Hundreds of processes run the same modules: each would strip and compile them again, half of what its start costs.
    const env = { NODE_COMPILE_CACHE: join(folder, 'compiled'), ...process.env }
    // And most of those are the two programs: for a run of all tests they are built, and start in half the time.
    const built = patterns.length === 0 ? await build(join(folder, 'programs')) : {}
    const args = [...look, `--output-file=${raw}`, ...options, ...files]
    const { status } = spawnSync(TAP, args, { stdio: 'inherit', env: { ...env, ...built } })
    const tap = readFileSync(raw, 'utf8')
    return { exitCode: status ?? 1, ...tally(tap), told: failures(tap) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What tells the tests where the programs lie (test/support/world.ts). */
async function build(folder: string): Promise<Record<string, string>> {
  const root = join(import.meta.dirname, '..')
  const folders = { edge: join(folder, 'edge'), agent: join(folder, 'agent') }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const { edge, agent } = await buildPrograms({ root, folders, version })
  return { ENGAWA_BUILT_EDGE: edge.main, ENGAWA_BUILT_AGENT: agent.main }
}
