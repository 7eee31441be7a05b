import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from '@engawa/edge/commands/program'
import t from 'tap'
import { edge } from './edge-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'edge-wrong-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const FINE = file('fine.yaml', 'domain: example.com\n')
const UNKNOWN = file('unknown.yaml', 'domain: example.com\nhtpp: :80\n')
const WRONG = file('wrong.yaml', 'http: nowhere\n')
const BROKEN = file('broken.yaml', 'a: [1,\n')
const EMPTY = join(folder, 'empty')

/** Runs a command in this process. */
async function command(line: readonly string[], env: Record<string, string> = {}) {
  let [out, err] = ['', '']
  const exit = await program(line, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env,
    columns: 80,
    outIsTty: false,
    errIsTty: false,
    onSignal: () => {},
    onHangup: () => {},
  })
  return { exit, out, err }
}

const TABLE: readonly (readonly [line: string, exit: number, message: RegExp])[] = [
  ['', 2, /Which command/],
  ['chekc', 2, /Did you mean "edge check"/],
  ['check --htp :1', 2, /Did you mean --http/],
  ['check --http', 2, /--http needs a value/],
  ['check --http 80', 2, /--http: .*HOST:PORT/],
  ['check --http :99999', 2, /--http: .*HOST:PORT/],
  ['check --http ::1:80', 2, /--http: .*\[IPv6\]:PORT/],
  ['check --https on', 2, /--https: /],
  ['check --https off', 2, /--carrier/],
  ['check --http :80 --https :80', 2, /same address/],
  ['check --carrier x', 2, /--carrier: /],
  ['check --public-host a_b:0', 2, /--public-host: /],
  ['check --admin 7400', 2, /--admin: /],
  ['check --tcp-ports 70000', 2, /--tcp-ports: .*65535/],
  ['check --tcp-ports 20-10', 2, /--tcp-ports: /],
  ['check --udp-ports x', 2, /--udp-ports: /],
  ['check --bind nowhere', 2, /--bind: /],
  ['check --grace 5', 2, /--grace: .*30s/],
  ['check --grace 9d', 2, /--grace: /],
  ['check --drain soon', 2, /--drain: .*30s/],
  ['check --domain no', 2, /--domain: /],
  ['check --domain http://example.com', 2, /--domain: /],
  ['check --domain 203.0.113.5', 2, /--domain: /],
  ['check --lang fr', 2, /en or ja/],
  ['check --log-level loud', 2, /fatal, error, warn/],
  [`check --config ${join(folder, 'none.yaml')}`, 2, /is not there/],
  [`check --config ${UNKNOWN}`, 2, /unknown\.yaml:2:1 htpp: /],
  [`check --config ${WRONG}`, 2, /wrong\.yaml:1:1 http: /],
  [`check --config ${BROKEN}`, 2, /broken\.yaml:\d+:\d+ /],
  [`check --config ${folder}`, 2, /EISDIR/],
  ['invite', 2, /needs NAME/],
  [`invite home --data ${EMPTY}`, 1, /no edge here .*sudo, or --data\?/],
  [`agents --data ${EMPTY}`, 1, /no edge here/],
  [`agents revoke home --data ${EMPTY}`, 1, /no edge here/],
  [`tunnels --data ${EMPTY}`, 1, /no edge here/],
  [`status --data ${EMPTY}`, 1, /no edge here/],
  [`ca --data ${EMPTY}`, 1, /no edge here/],
]
for (const [line, exit, message] of TABLE) {
  t.test(`edge ${line.replaceAll(folder, 'DIR')}`, async (t) => {
    const ended = await command(line === '' ? [] : line.split(' '))
    t.equal(ended.exit, exit)
    t.equal(ended.out, '')
    t.match(ended.err, message)
    t.match(ended.err, /^edge: [^\n]+\n$/, 'one line')
  })
}

t.test('the same in Japanese', async (t) => {
  for (const [line] of TABLE) {
    if (line.includes('--lang')) continue
    const { err } = await command([...(line === '' ? [] : line.split(' ')), '--lang', 'ja'])
    t.match(err, /[ぁ-んァ-ヶ]/, `edge ${line} ${err}`)
  }
  const { err } = await command(['chekc'], { LANG: 'ja_JP.UTF-8' })
  t.match(err, 'のことですか')
})

t.test('what is right passes, with flags over the file', async (t) => {
  const { exit, out } = await command(['check', '--json', '--config', FINE, '--http', '127.0.0.1:0', '--lang', 'en'])
  t.equal(exit, 0)
  t.match(JSON.parse(out), { event: 'checked', domain: 'example.com', http: '127.0.0.1:0' })
})

t.test('the real process says the same', async (t) => {
  const lines = ['rnu', 'run --http x', 'run --https off', `status --data ${EMPTY}`, 'check --grace 9y', 'invite']
  const ended = await Promise.all(lines.map((line) => edge(line.split(' '))))
  t.strictSame(
    ended.map(({ exit }) => exit),
    [2, 2, 2, 1, 2, 2],
  )
  for (const { out, err } of ended) t.match([out, err], ['', /^edge: [^\n]+\n$/])
  const [help, version] = await Promise.all([edge(['--help']), edge(['--version'])])
  t.match([help.exit, help.out, help.err], [0, /edge run/, ''])
  t.match([version.exit, version.out], [0, /^\d+\.\d+\.\d+/])
})

t.test('what was typed cannot drive the terminal that complains of it', async (t) => {
  for (const line of [
    ['ru\u001b[2Jn'],
    ['check', '--config', '/\u001b]0;x\u0007\u009b'],
    ['run', '--\u001b[2J'],
    ['status', '--data', '/\u001b[2J'],
  ]) {
    const { exit, err } = await command(line)
    t.not(exit, 0)
    // oxlint-disable-next-line no-control-regex
    t.notMatch(err, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  }
})
