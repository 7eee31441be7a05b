import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Architecture, type Build, DEBIAN, type Program } from './parts.ts'

/** What goes into a package beside the executable. */
export interface Papers {
  readonly manual: string
  readonly completion: string
  readonly licences: string
}

const SUMMARY: Readonly<Record<Program, readonly [string, string]>> = {
  edge: [
    'reverse tunnel relay: the side on a server',
    'Receives visitors and hands them to agents at home, who dial out to it.',
  ],
  agent: [
    'reverse tunnel relay: the side at home',
    'Publishes services of a home network through an edge. It only dials out.',
  ],
}

/** What an upgrade does with the service that runs. */
const UPGRADE: Readonly<Record<Program, Readonly<Record<string, string>>>> = {
  edge: {
    UPGRADING: 'ExecReload: the new version takes over, and no visitor notices.',
    UPGRADE: 'reload',
    BY_HAND: '"/usr/bin/$name" upgrade --data "$state" || true',
  },
  agent: {
    UPGRADING: 'Its streams end within 30 s; requests meanwhile wait at the edge.',
    UPGRADE: 'restart',
    BY_HAND: ':',
  },
}

/**
 * The Debian package of an executable; answers its path. What is in it belongs to root, whoever builds it.
 * It needs dpkg-deb, and where it is installed what Node itself links to.
 */
export function debianPackage(
  program: Program,
  { executable, architecture, papers }: { executable: string; architecture: Architecture; papers: Papers },
  build: Build,
): string {
  const { root, out, scratch, version } = build
  const name = `engawa-${program}`
  const tree = join(scratch, `${name}-${architecture}`)
  rmSync(tree, { recursive: true, force: true })
  const write = (path: string, content: string | Uint8Array, mode = 0o644): void => {
    const file = join(tree, path)
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(file, content)
    chmodSync(file, mode)
  }
  const read = (path: string): string => readFileSync(join(root, path), 'utf8')
  const documents = `usr/share/doc/${name}`

  write(`usr/bin/${name}`, '', 0o755)
  copyFileSync(executable, join(tree, `usr/bin/${name}`))
  chmodSync(join(tree, `usr/bin/${name}`), 0o755)
  write(`usr/lib/systemd/system/${name}.service`, read(`deploy/${name}.service`))
  write(`usr/lib/systemd/system/${name}.service.d/backoff.conf`, read('deploy/backoff.conf'))
  write(`usr/share/bash-completion/completions/${name}`, papers.completion)
  write(`usr/share/man/man1/${name}.1.gz`, gzipSync(papers.manual, { level: 9 }))
  write(`${documents}/copyright`, papers.licences)
  write(`${documents}/changelog.gz`, gzipSync(read('CHANGELOG.md'), { level: 9 }))
  write(`${documents}/examples/${program}.example.yaml`, read(`deploy/${program}.example.yaml`))
  write(`etc/engawa/${program}.yaml`, read(`deploy/debian/${program}.yaml`))

  for (const script of ['postinst', 'prerm', 'postrm']) {
    write(`DEBIAN/${script}`, filled(read(`deploy/debian/${script}`), { PROGRAM: program, ...UPGRADE[program] }), 0o755)
  }
  write('DEBIAN/conffiles', `/etc/engawa/${program}.yaml\n`)
  write('DEBIAN/control', control(program, architecture, version, sizeOf(tree)))
  const file = join(out, `${name}_${version}_${DEBIAN[architecture]}.deb`)
  // zstd: Debian 12 and Ubuntu 22.04 read it, and xz takes a minute.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', '-z6', '--build', tree, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  rmSync(tree, { recursive: true })
  return file
}

function control(program: Program, architecture: Architecture, version: string, kib: number): string {
  const [summary, description] = SUMMARY[program]
  return `Package: engawa-${program}
Version: ${version}
Architecture: ${DEBIAN[architecture]}
Maintainer: The Engawa authors <engawa@example.invalid>
Installed-Size: ${kib}
Depends: libc6 (>= 2.28), libstdc++6 (>= 9), libatomic1, passwd, dpkg (>= 1.21)
Section: net
Priority: optional
Description: ${summary}
 ${description}
 Open connections outlive the loss of the line between the two.
`
}

/** KiB, as dpkg counts. */
function sizeOf(tree: string): number {
  const said = execFileSync('du', ['--summarize', '--apparent-size', '--block-size=1024', tree], { encoding: 'utf8' })
  return Number.parseInt(said, 10)
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/@([A-Z_]+)@/g, (_, key: string) => {
    const value = values[key]
    if (value === undefined) throw new Error(`a script of the package wants ${key}`)
    return value
  })
}
