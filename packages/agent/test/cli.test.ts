import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from './support/folder.ts'
import { runAgent } from './support/process.ts'

// Real processes: two at a time, one per core.
t.jobs = 2

const CHARACTER = '[^\n]'
/** Exit code, and what the one line on stderr must say. */
const ROWS: readonly (readonly [args: string, code: number, says: RegExp])[] = [
  ['', 2, /agent expose 8080/],
  ['expsoe 8080', 2, /did you mean agent expose\?/],
  ['frobnicate', 2, /unknown command "frobnicate"/],
  ['--nonsense', 2, /unknown flag --nonsense/],
  ['expose', 2, /TARGET is missing: agent expose 8080/],
  ['expose 8080', 2, /edge invite NAME.*agent join/],
  ['expose 99999', 2, /ports are 1 to 65535/],
  ['expose htp://80', 2, /did you mean http/],
  ['expose 8080 --nmae x', 2, /did you mean --name\?/],
  ['expose 8080 --refuse 10.0.0.0/8', 2, /unknown flag --refuse/],
  ['expose 8080 --name', 2, /--name needs a value/],
  ['expose 8080 --name a --name b', 2, /once only/],
  ['expose 8080 --name a.b', 2, /no name/],
  ['expose 8080 9090 --name x', 2, /several targets/],
  ['expose tcp://22 --port 10-11', 2, /2 port\(s\), the target has 1/],
  ['expose 8080 --drain soon', 2, /no duration/],
  ['expose 8080 --lang fr', 2, /not one of en, ja/],
  ['expose 8080 --log-level loud', 2, /not one of fatal/],
  ['join', 2, /LINE is missing: agent join engawa1:…/],
  ['join engawa1:xyz', 2, /join line/],
  ['join http://example.com', 2, /engawa1:/],
  ['ls extra', 2, /one word too many/],
  ['rm', 2, /NAME is missing/],
  ['rm a b', 2, /one word too many/],
  ['rm a/b', 2, /no name/],
  ['ls', 1, /no agent here/],
  ['status', 1, /no agent here/],
  ['leave', 1, /no agent here/],
  ['up', 2, /edge invite NAME/],
]

for (const [args, code, says] of ROWS) {
  t.test(`agent ${args} exits ${code} with one message`, { buffered: true }, async (t) => {
    const words = args === '' ? [] : args.split(' ')
    const folder = join(temporaryFolder(t), 'data')
    const ran = await runAgent(t, [...words, ...(args.startsWith('-') || args === '' ? [] : ['--data', folder])])
    t.equal(ran.code, code)
    t.match(ran.err, says)
    t.match(ran.err, new RegExp(`^agent: ${CHARACTER}+\n$`), 'one line')
    t.equal(ran.out, '')
  })
}

t.test('complaints are Japanese where the locale is', async (t) => {
  const { err } = await runAgent(t, ['expose', '99999'], { LANG: 'ja_JP.UTF-8' })
  t.match(err, /ポート番号ではありません/)
})

t.test('the version and the help go to stdout', async (t) => {
  t.match(await runAgent(t, ['--version']), { code: 0, out: /^\d+\.\d+\.\d+/, err: '' })
  const help = await runAgent(t, ['expose', '--help'])
  t.match(help, { code: 0, out: /--name/, err: '' })
  for (const line of help.out.split('\n')) t.ok(line.length <= 80, line)
})

t.test('broken state is said to be broken', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'identity.json'), '{')
  t.match(await runAgent(t, ['status', '--data', folder]), {
    code: 1,
    err: /identity\.json, or key\.pem .* remove both and join again/,
  })
})
