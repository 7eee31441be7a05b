// Makes the programs into packages/*/dist/program, with what V8 compiles of them, and links them: `npx engawa-edge` and
// `npx engawa-agent` work in a clone then. npm links commands when it installs, and passes over those that are not built
// yet; `npx` would then ask the registry for a stranger's package of that name.
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type Bundle, bundle } from './package/bundle.ts'
import { compile } from './package/compile.ts'
import { PROGRAMS, type Program } from './package/parts.ts'

const ROOT = join(import.meta.dirname, '..')
const LINKS = join(ROOT, 'node_modules/.bin')

function made(program: Program): Promise<Bundle> {
  const folder = join(ROOT, 'packages', program)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  return bundle(program, { root: ROOT, folder: join(folder, 'dist/program'), version })
}

const bundles = { edge: await made('edge'), agent: await made('agent') }
const scratch = mkdtempSync(join(tmpdir(), 'engawa-build-'))
try {
  await compile(bundles, scratch)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
for (const program of PROGRAMS) {
  const link = join(LINKS, `engawa-${program}`)
  rmSync(link, { force: true })
  symlinkSync(relative(LINKS, bundles[program].main), link)
}
