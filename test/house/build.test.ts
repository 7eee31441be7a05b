import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../support/command.ts'
import { Program } from '../support/program.ts'
import { LONG } from '../support/tools.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Project {
  readonly compilerOptions?: { readonly outDir?: string; readonly tsBuildInfoFile?: string }
  readonly references: readonly { readonly path: string }[]
}

function read(path: string): Project {
  const text = readFileSync(join(ROOT, path, 'tsconfig.json'), 'utf8')
  return JSON.parse(text.replaceAll(/^ *\/\/.*$/gm, '')) as Project
}

t.test('who removes what was compiled removes what the compiler remembers of it', async (t) => {
  let emitting = 0
  for (const { path } of read('.').references) {
    const { outDir, tsBuildInfoFile = '.' } = read(path).compilerOptions ?? {}
    if (outDir === undefined) continue
    emitting++
    const dist = join(...path.split('/').slice(0, 2), 'dist')
    const from = (file: string): string => relative(dist, join(path, file))
    t.notMatch(from(outDir), /^\.\./, `${path} emits below ${dist}`)
    t.notMatch(from(dirname(tsBuildInfoFile)), /^\.\./, `${path} remembers below ${dist}`)
  }
  t.ok(emitting > 3, `${emitting} projects emit`)
})

/** A process that wants its turn by `file`, and keeps it. */
function turn(t: Test, name: string, file: string): Program {
  const script = `import { takeTurn } from ${JSON.stringify(join(ROOT, 'scripts/turn.ts'))}
    const tell = (event) => console.log(JSON.stringify({ event }))
    globalThis.turn = takeTurn(process.argv[1], () => tell('waits'))
    tell('has'); setInterval(() => {}, 1e6)`
  const program = new Program({ name, command: [process.execPath, '--input-type=module', '-e', script, file] })
  t.teardown(() => program.kill())
  return program
}

t.test('two builds at once take turns, also where the first one is killed', async (t) => {
  const file = join(t.testdir({}), 'turn')
  const first = turn(t, 'first', file)
  await first.until('has')
  const second = turn(t, 'second', file)
  await second.until('waits')
  t.same(
    second.events.map(({ event }) => event),
    ['waits'],
  )
  await first.kill()
  await second.until('has')
})

const BUILDS = { skip: !LONG && 'two whole builds: npm run test:long' }

t.test('npm run build, twice at once', BUILDS, async (t) => {
  // The compiler's command does not start with what tap loads into every process.
  const command = ['env', '-u', 'NODE_OPTIONS', process.execPath, join(ROOT, 'scripts/build.ts')] as const
  const build = (): ReturnType<typeof run> => run(command)
  for (const result of await Promise.all([build(), build()])) t.match(result, { code: 0, stderr: '' })
  for (const name of ['edge', 'agent']) {
    const main = join(ROOT, `packages/${name}/dist/program/engawa-${name}.cjs`)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.match(await run([process.execPath, main, '--version']), { code: 0, stdout: /^\d+\.\d+\.\d+/, stderr: '' })
  }
})
