// Compiles the packages and makes the programs into packages/*/dist/program, with what V8 compiles of them, and links them:
// `npx engawa-edge` and `npx engawa-agent` work in a clone then. npm links commands when it installs, and passes over those
// that are not built yet; `npx` would then ask the registry for a stranger's package of that name.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { PROGRAMS } from './package/parts.ts'
import { buildPrograms } from './package/programs.ts'
import { takeTurn } from './turn.ts'

const ROOT = join(import.meta.dirname, '..')
const MODULES = join(ROOT, 'node_modules')
const LINKS = join(MODULES, '.bin')

/** What runs from the former folder, or starts meanwhile, never finds half of a program. */
function replace(folder: string, fresh: string): void {
  const former = `${folder}.former`
  rmSync(former, { recursive: true, force: true })
  if (existsSync(folder)) renameSync(folder, former)
  renameSync(fresh, folder)
  rmSync(former, { recursive: true, force: true })
}

async function build(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const folderOf = (program: string): string => join(ROOT, 'packages', program, 'dist/program')
  const [edge, agent] = PROGRAMS.map((program) => `${folderOf(program)}.fresh`) as [string, string]
  const bundles = await buildPrograms({ root: ROOT, version, folders: { edge, agent } })
  for (const program of PROGRAMS) {
    const folder = folderOf(program)
    replace(folder, `${folder}.fresh`)
    const link = join(LINKS, `engawa-${program}`)
    rmSync(link, { force: true })
    symlinkSync(relative(LINKS, join(folder, basename(bundles[program].main))), link)
  }
}

// Two builds at once would write the same files.
const turn = takeTurn(join(MODULES, '.engawa-build'), () =>
  console.log('another build is running: waiting for its end'),
)
try {
  const { status } = spawnSync(join(LINKS, 'tsc'), ['-b'], { cwd: ROOT, stdio: 'inherit' })
  if (status === 0) await build()
  else process.exitCode = status ?? 1
} finally {
  turn.end()
}
