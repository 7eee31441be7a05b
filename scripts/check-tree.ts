// Fails when the tree holds what belongs to one machine alone: a registry address in the lockfile,
// an absolute path, or a lockfile that only the machine which wrote it accepts.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { absentBuilds, type Lockfile } from './lockfile.ts'

const complaints: string[] = []

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lockfile
for (const [name, { resolved, link }] of Object.entries(lock.packages)) {
  if (resolved !== undefined && !link) complaints.push(`package-lock.json: ${name} has a resolved address`)
}
if (absentBuilds(lock).length > 0) complaints.push('package-lock.json lacks builds: npm run lockfile')

const HOME = new RegExp(String.raw`(?<![\w.\-/}\])~])/(?:${['work', 'root', 'farm'].join('|')})/`)
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
}).split('\0')
for (const file of tracked) {
  if (file === '') continue
  const text = read(file)
  if (text === undefined || text.includes('\0')) continue
  for (const [index, line] of text.split('\n').entries()) {
    if (HOME.test(line)) complaints.push(`${file}:${index + 1} names a path of one machine`)
  }
}

/** A tracked file may be deleted in the work tree, and a symbolic link may point at a folder. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

for (const complaint of complaints) console.error(complaint)
process.exitCode = complaints.length > 0 ? 1 : 0
