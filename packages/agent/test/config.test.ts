import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '@engawa/agent/config'
import t from 'tap'
import { temporaryFolder } from './support/folder.ts'

t.test('a file with everything in it', async (t) => {
  const file = join(temporaryFolder(t), 'agent.yaml')
  writeFileSync(
    file,
    `tunnels:
  - target: 8080
    name: blog
    host: [www.example.com, example.org]
    path: /app/
  - target: tcp://192.168.0.20:10000-10002
    port: 20000-20002
  - { target: 'tcp://[fe80::1]:22', port: 22, reach: 'fe80::/64' }
carriers: 4
drain: 5m
admin: 127.0.0.1:7401
`,
  )
  const config = loadConfig(file, 'en')
  t.match(config, { carriers: 4, drainMs: 300_000, admin: { host: '127.0.0.1', port: 7401 } })
  const [first, second, third] = config.tunnels
  t.match(first, {
    target: { text: 'http://127.0.0.1:8080' },
    name: 'blog',
    hosts: ['www.example.com', 'example.org'],
    path: '/app',
  })
  t.match(second, { target: { text: 'tcp://192.168.0.20:10000-10002' }, port: [20_000, 20_002] })
  t.match(third, { port: [22, 22], reach: ['fe80::/64'] })
})

t.test('targets that take turns share a name', async (t) => {
  const file = join(temporaryFolder(t), 'agent.yaml')
  writeFileSync(
    file,
    'tunnels:\n  - { target: 80, name: web, balance: true }\n  - { target: 81, name: web, balance: true }',
  )
  t.same(
    loadConfig(file, 'en').tunnels.map(({ name }) => name),
    ['web', 'web'],
  )
})

t.test('an empty file publishes nothing', async (t) => {
  const file = join(temporaryFolder(t), 'agent.yaml')
  writeFileSync(file, '')
  t.same(loadConfig(file, 'en').tunnels, [])
})

const WRONG: readonly (readonly [text: string, place: string, says: RegExp])[] = [
  ['drain: 120', '1:1 drain', /quotes make it text/],
  ['drain: 2d', '1:1 drain', /24h/],
  ['admin: 7401', '1:1 admin', /quotes make it text/],
  ['admin: home', '1:1 admin', /HOST:PORT/],
  ['tunnels: [', '1:', /never closed/],
  ['tunels: []', '1:1 tunels', /unknown key.*tunnels/],
  ['tunnels: 8080', '1:1 tunnels', /a list/],
  ['tunnels:\n  - 8080', '2:5 tunnels[0]', /keys with values/],
  ['tunnels:\n  - name: x', '2:5 tunnels[0]', /./],
  ['tunnels:\n  - target: 99999', '2:5 tunnels[0].target', /65535/],
  ['tunnels:\n  - target: [1]', '2:5 tunnels[0].target', /./],
  ['tunnels:\n  - target: 8080\n    nmae: x', '3:5 tunnels[0].nmae', /unknown key/],
  ['tunnels:\n  - target: 8080\n    name: a.b', '3:5 tunnels[0].name', /no name/],
  ['tunnels:\n  - target: 8080\n    host: nowhere', '3:5 tunnels[0].host', /no domain/],
  ['tunnels:\n  - target: 8080\n    path: x', '3:5 tunnels[0].path', /no path/],
  ['tunnels:\n  - target: tcp://22\n    port: many', '3:5 tunnels[0].port', /no port/],
  ['tunnels:\n  - target: tcp://22\n    port: 1-2', '2:', /2 port\(s\)/],
  ['tunnels:\n  - target: 8080\n    port: 80', '2:', /tcp:\/\//],
  ['tunnels:\n  - { target: 80, name: a }\n  - { target: 81, name: a }', '3:19 tunnels[1].name', /twice/],
  [
    'tunnels:\n  - { target: 80, name: a, balance: true }\n  - { target: 81, name: a }',
    '3:19 tunnels[1].name',
    /twice/,
  ],
  [
    'tunnels:\n  - { target: 80, name: a }\n  - { target: 81, name: a, balance: true }',
    '3:19 tunnels[1].name',
    /twice/,
  ],
]

for (const [text, place, says] of WRONG) {
  t.test(`${JSON.stringify(text)} is wrong at ${place}`, async (t) => {
    const file = join(temporaryFolder(t), 'agent.yaml')
    writeFileSync(file, text)
    try {
      loadConfig(file, 'en')
      t.fail('it was taken')
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      t.equal(code, 'CONFIG_INVALID')
      t.ok(message.startsWith(`${file}:${place}`), message)
      t.match(message, says)
    }
  })
}

t.test('a file that is not there', async (t) => {
  t.throws(() => loadConfig('/nonexistent/agent.yaml', 'en'), { code: 'CONFIG_INVALID' })
})
