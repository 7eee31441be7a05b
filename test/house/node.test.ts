import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isNodeNewEnough, OLDEST_NODE } from '@engawa/shared/node'
import t from 'tap'
import { run } from '../support/command.ts'
import { agentCommand, edgeCommand } from '../support/world.ts'

const ROOT = join(import.meta.dirname, '../..')

t.test('which versions are new enough', async (t) => {
  for (const version of ['24.15.0', '24.16.1', '25.0.0', '26.10.0', '100.0.0']) t.ok(isNodeNewEnough(version), version)
  for (const version of ['20.20.2', '24.14.9', '9.99.0', '24.2.0']) t.notOk(isNodeNewEnough(version), version)
})

t.test('the packages ask for the same one', async (t) => {
  for (const file of ['package.json', ...['shared', 'edge', 'agent'].map((name) => `packages/${name}/package.json`)]) {
    const { engines } = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { engines: { node: string } }
    t.equal(engines.node, `>=${OLDEST_NODE}`, file)
  }
})

// Loaded first: this Node says that it is an old one, and has no node:sqlite. That such a one gets as far as the check was
// tried with 20.20, too.
const PRETENDING = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'node:sqlite') throw new Error('there is no node:sqlite')
      return next(specifier, context)
    },
  })
`)}`

for (const [program, command] of [
  ['edge', edgeCommand('run')],
  ['edge', edgeCommand('status')],
  ['agent', agentCommand('status')],
] as const) {
  const [node, ...rest] = command
  t.test(`an older Node is told in one line: ${program} ${rest.at(-1)}`, async (t) => {
    for (const [LANG, said] of [
      ['C.UTF-8', `${program}: this is Node.js 20.20.2; Engawa needs 24.15 or newer\n`],
      ['ja_JP.UTF-8', `${program}: Node.js 20.20.2 では動きません。24.15 以降が必要です\n`],
    ] as const) {
      const { code, stdout, stderr } = await run([node, '--import', PRETENDING, ...rest], { env: { LANG } })
      t.same({ code, stdout, stderr }, { code: 1, stdout: '', stderr: said })
    }
  })
}
