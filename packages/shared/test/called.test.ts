import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calledAs, type Start, typeable } from '@engawa/shared/called'
import t from 'tap'

const START: Start = {
  single: false,
  argv0: 'node',
  execPath: '/usr/bin/node',
  script: undefined,
  env: {},
  uid: 1000,
}

const told = (text: string): string => typeable(text, 'edge', ['run', 'invite', 'agents'], 'npx engawa-edge')

t.test('a program is called as it can be typed', async (t) => {
  const rows: [string, Partial<Start>, string][] = [
    ['in a clone', { script: '/home/u/engawa/node_modules/.bin/engawa-edge' }, 'npx engawa-edge'],
    [
      'by an npm script',
      { script: '/home/u/engawa/packages/edge/src/main.ts', env: { npm_lifecycle_event: 'edge' } },
      'npm run edge --',
    ],
    ['installed by npm', { script: '/usr/local/bin/engawa-edge' }, 'engawa-edge'],
    ['by its file', { script: '/home/u/engawa/packages/edge/dist/main.js' }, 'edge'],
    [
      'by sudo',
      { script: '/home/u/engawa/node_modules/.bin/engawa-edge', uid: 0, env: { SUDO_USER: 'u' } },
      'sudo npx engawa-edge',
    ],
  ]
  for (const [how, start, called] of rows) t.equal(calledAs('edge', { ...START, ...start }), called, how)
})

t.test('a single executable is called by its name where PATH leads to it, else by its path', async (t) => {
  const folder = t.testdir({ bin: {} })
  const file = join(folder, 'engawa-edge')
  writeFileSync(file, '')
  chmodSync(file, 0o755)
  symlinkSync(file, join(folder, 'bin/edge'))
  const start = { ...START, single: true, execPath: file, env: { PATH: `/nowhere:${join(folder, 'bin')}` } }
  t.equal(calledAs('edge', { ...start, argv0: 'edge' }), 'edge', 'the short name')
  t.equal(calledAs('edge', { ...start, argv0: './engawa-edge' }), './engawa-edge', 'just unpacked')
  writeFileSync(join(folder, 'bin/engawa-edge'), '')
  chmodSync(join(folder, 'bin/engawa-edge'), 0o755)
  t.equal(calledAs('edge', { ...start, argv0: './engawa-edge' }), './engawa-edge', 'another program has the name')
})

t.test('hints name commands so that they can be typed', async (t) => {
  t.equal(told('start it with: edge run'), 'start it with: npx engawa-edge run')
  t.equal(told('`edge invite` and (edge agents)'), '`npx engawa-edge invite` and (npx engawa-edge agents)')
  t.equal(told('\x1b[1medge invite\x1b[22m'), '\x1b[1mnpx engawa-edge invite\x1b[22m', 'in bold')
  t.equal(told('招待は edge invite 名前 で'), '招待は npx engawa-edge invite 名前 で')
  for (const other of [
    'No edge runs here',
    'agent join engawa1:x',
    'engawa-edge run',
    './edge run',
    'the edge run by us',
  ]) {
    t.equal(told(other), other)
  }
  t.equal(typeable('edge run', 'edge', ['run'], 'edge'), 'edge run')
})
