// Makes the programs into packages/*/dist/program, with what V8 compiles of them, and links them: `npx engawa-edge` and
// `npx engawa-agent` work in a clone then. npm links commands when it installs, and passes over those that are not built
// yet; `npx` would then ask the registry for a stranger's package of that name.
import { readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { PROGRAMS } from './package/parts.ts'
import { buildPrograms } from './package/programs.ts'

const ROOT = join(import.meta.dirname, '..')
const LINKS = join(ROOT, 'node_modules/.bin')

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const [edge, agent] = PROGRAMS.map((program) => join(ROOT, 'packages', program, 'dist/program')) as [string, string]
const bundles = await buildPrograms({ root: ROOT, version, folders: { edge, agent } })
for (const program of PROGRAMS) {
  const link = join(LINKS, `engawa-${program}`)
  rmSync(link, { force: true })
  symlinkSync(relative(LINKS, bundles[program].main), link)
}
