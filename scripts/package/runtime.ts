import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Lockfile } from '../lockfile.ts'
import type { Architecture } from './parts.ts'

/** GNU strip by architecture, as Debian's binutils name them. */
const STRIP: Readonly<Record<Architecture, string>> = {
  x64: 'x86_64-linux-gnu-strip',
  arm64: 'aarch64-linux-gnu-strip',
}

/**
 * Node for `architecture`, without the symbols that only a debugger reads (33 of 150 MB), at `path`. They go before the
 * program comes in: strip would not know that part of the file.
 */
export function placeRuntime(root: string, architecture: Architecture, path: string): void {
  copyFileSync(runtimeOf(root, architecture), path)
  const strip = [STRIP[architecture], ...(architecture === process.arch ? ['strip'] : [])].find(isThere)
  if (strip === undefined) {
    console.error(`package: no ${STRIP[architecture]}, so the ${architecture} executables are larger than they need be`)
    return
  }
  execFileSync(strip, [path])
}

/** The Node of package-lock.json: npm has installed the one for this machine; another comes by `npm pack`. */
function runtimeOf(root: string, architecture: Architecture): string {
  const name = `node-linux-${architecture}`
  const installed = join(root, 'node_modules', name, 'bin/node')
  if (existsSync(installed)) return installed
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile
  const entry = lock.packages[`node_modules/${name}`]
  if (entry?.version === undefined || entry.integrity === undefined) throw new Error(`package-lock.json lacks ${name}`)
  const kept = join(root, 'node_modules/.cache/engawa', `${name}-${entry.version}`)
  const node = join(kept, 'package/bin/node')
  if (existsSync(node)) return node
  mkdirSync(kept, { recursive: true })
  const archive = fetch(`${name}@${entry.version}`, kept)
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (digest !== entry.integrity) {
    rmSync(archive)
    throw new Error(`${name}@${entry.version} is not what package-lock.json expects: ${digest}`)
  }
  execFileSync('tar', ['--extract', '--gzip', '--file', archive, '--directory', kept, 'package/bin/node'])
  rmSync(archive)
  return node
}

function fetch(wanted: string, folder: string): string {
  const said = execFileSync('npm', ['pack', wanted, '--json', '--pack-destination', folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const packed: unknown = JSON.parse(said)
  // npm 10 answers a list, npm 11 and newer may answer an object by name.
  const [first] = Object.values(packed as Record<string, { filename: string }>)
  if (first === undefined) throw new Error(`npm pack ${wanted} told of no file`)
  return join(folder, first.filename)
}

function isThere(tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
