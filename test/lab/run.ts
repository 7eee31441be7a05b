// `npm run lab [NAME…]`: the experiments whose file begins with a name, or all, one after the other, and what they print.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { demandKnown } from '../../scripts/command-line.ts'

const names = process.argv.slice(2)
const files = globSync(join(import.meta.dirname, '*.test.ts')).toSorted()
const known = files.map((file) => basename(file, '.test.ts'))
demandKnown(names, known, (word, name) => name.startsWith(word))
const wanted = files.filter((file) => names.length === 0 || names.some((name) => basename(file).startsWith(name)))
for (const file of wanted) {
  // Figures of an experiment are worth something only while it has the machine for itself.
  const { status } = spawnSync(process.execPath, ['-C', 'engawa-source', file], {
    stdio: 'inherit',
    env: { ...process.env, TAP_TIMEOUT: '900' },
  })
  if (status !== 0) process.exitCode = 1
}
