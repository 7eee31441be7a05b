// Names in the lockfile every platform's build of the tools, also those that the registry at hand does not carry.
// npm leaves these out, and `npm ci` then refuses the lockfile. Run it after every change of a dependency.
import { readFileSync, writeFileSync } from 'node:fs'
import { absentBuilds, type Lockfile } from './lockfile.ts'

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lockfile
const absent = absentBuilds(lock)
for (const { path, entry } of absent) lock.packages[path] = entry
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${absent.length} builds added`)
