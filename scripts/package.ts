// Builds the programs as single executables for Linux, their Debian packages and SHA256SUMS, into dist/.
// Options: --arch x64,arm64  --programs edge,agent  --version V  --out DIR  --no-deb
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { commandLine, demandKnown } from './command-line.ts'
import { debianPackage } from './package/deb.ts'
import { licences } from './package/licences.ts'
import { bashCompletion, helpPages, manualPage } from './package/manual.ts'
import { ARCHITECTURES, type Build, PROGRAMS } from './package/parts.ts'
import { buildPrograms } from './package/programs.ts'
import { placeRuntime } from './package/runtime.ts'
import { singleFile } from './package/single.ts'

const ROOT = join(import.meta.dirname, '..')

const { values } = commandLine({
  options: {
    arch: { type: 'string', default: ARCHITECTURES.join(',') },
    programs: { type: 'string', default: PROGRAMS.join(',') },
    version: { type: 'string', default: ownVersion() },
    out: { type: 'string', default: join(ROOT, 'dist') },
    'no-deb': { type: 'boolean', default: false },
  },
})

const architectures = chosen(values.arch, ARCHITECTURES)
const programs = chosen(values.programs, PROGRAMS)

const scratch = mkdtempSync(join(tmpdir(), 'engawa-package-'))
try {
  await make({ root: ROOT, out: resolve(values.out), scratch, version: values.version })
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

async function make(build: Build): Promise<void> {
  const { out, root, version } = build
  mkdirSync(out, { recursive: true })
  const runtimes = new Map(architectures.map((architecture) => [architecture, join(scratch, `node-${architecture}`)]))
  for (const [architecture, path] of runtimes) placeRuntime(ROOT, architecture, path)
  const made: string[] = []
  const folders = { edge: join(scratch, 'edge'), agent: join(scratch, 'agent') }
  const bundles = await buildPrograms({ root, version, folders })
  for (const program of programs) {
    const pages = helpPages(bundles[program].main, program)
    const papers = {
      manual: manualPage(program, pages, build),
      completion: bashCompletion(program, pages),
      licences: licences(ROOT, bundles[program].inputs),
    }
    for (const [architecture, runtime] of runtimes) {
      const executable = singleFile(program, { bundle: bundles[program], runtime, architecture }, build)
      made.push(executable)
      if (!values['no-deb']) made.push(debianPackage(program, { executable, architecture, papers }, build))
    }
  }
  for (const file of made) console.log(relative(process.cwd(), file))
  writeFileSync(join(out, 'SHA256SUMS'), checksums(out))
}

/** As `sha256sum --check` reads them, of all that lies in the folder by now. */
function checksums(out: string): string {
  const files = globSync(['linux-*/engawa-*', 'engawa-*.deb'], { cwd: out }).toSorted()
  return files
    .map(
      (file) =>
        `${createHash('sha256')
          .update(readFileSync(join(out, file)))
          .digest('hex')}  ${file}\n`,
    )
    .join('')
}

function chosen<Known extends string>(typed: string, known: readonly Known[]): Known[] {
  const wanted = typed.split(',')
  demandKnown(wanted, known)
  return known.filter((name) => wanted.includes(name))
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
}
