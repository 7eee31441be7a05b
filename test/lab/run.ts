// `npm run lab [NAME…]`: the experiments whose file begins with a name, or all, one after the other, and what they print.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'

const names = process.argv.slice(2)
const files = globSync(join(import.meta.dirname, '*.test.ts')).toSorted()
const wanted = files.filter((file) => names.length === 0 || names.some((name) => basename(file).startsWith(name)))
if (wanted.length === 0) {
  process.stderr.write(`no such experiment; there are ${files.map((file) => basename(file, '.test.ts')).join(', ')}\n`)
  process.exitCode = 2
}
for (const file of wanted) {
  // Figures of an experiment are worth something only while it has the machine for itself.
  const { status } = spawnSync(process.execPath, ['-C', 'engawa-source', file], {
    stdio: 'inherit',
    env: { ...process.env, TAP_TIMEOUT: '900' },
  })
  if (status !== 0) process.exitCode = 1
}
