import { langFlag, readLine } from '@engawa/edge/commands/line'
import { words } from '@engawa/edge/show/words'
import t from 'tap'

const look = { words: words('en'), columns: 80, folder: '/var/lib/engawa/edge' }
const read = (line: string) => readLine(line === '' ? [] : line.split(' '), look)

t.test('a right command line', async (t) => {
  t.strictSame(await read('run --http :0 --json --public-host a,b --public-host c'), {
    command: 'run',
    words: [],
    flags: { http: ':0', json: true, 'public-host': ['a', 'b', 'c'] },
  })
  t.strictSame(await read('agents rename old new'), { command: 'agents rename', words: ['old', 'new'], flags: {} })
  t.strictSame(await read('invite 123 --names=a,b'), {
    command: 'invite',
    words: ['123'],
    flags: { names: ['a', 'b'] },
  })
  t.strictSame(await read('invite -- home'), { command: 'invite', words: ['home'], flags: {} })
  t.strictSame(await read('--data /tmp/x status'), { command: 'status', words: [], flags: { data: '/tmp/x' } })
})

const WRONG: readonly (readonly [line: string, message: string])[] = [
  ['', 'Which command? edge --help lists them.'],
  ['rnu', '"rnu" is not a command of edge. Did you mean "edge run"?'],
  ['tunnel', '"tunnel" is not a command of edge. Did you mean "edge tunnels"?'],
  ['fly', '"fly" is not a command of edge. edge --help lists them.'],
  ['agents revok x', '"agents revok" is not a command of edge. Did you mean "edge agents revoke"?'],
  ['agents zzz', 'edge agents does not take "zzz".'],
  ['agents revoke', 'edge agents revoke needs NAME.'],
  ['agents rename a', 'edge agents rename needs NEW.'],
  ['agents rename a b c', 'edge agents rename does not take "c".'],
  ['invite', 'edge invite needs NAME.'],
  ['run now', 'edge run does not take "now".'],
  ['run --htp :1', '--htp is not a flag of edge run. Did you mean --http?'],
  ['run --xyzzy', '--xyzzy is not a flag of edge run. edge run --help lists them.'],
  ['run --no-https', '--no-https is not a flag of edge run. edge run --help lists them.'],
  ['run -j', '-j is not a flag of edge run. edge run --help lists them.'],
  ['status --http :1', '--http is not a flag of edge status. edge status --help lists them.'],
  ['run --http', '--http needs a value.'],
  ['run --http=', '--http needs a value.'],
  ['run --http --json', '--http needs a value.'],
  ['run --http :1 --http :2', '--http is given twice.'],
  ['run --json=7', '--json takes no value.'],
  ['invite home --names a,,b', '--names needs a value.'],
]
for (const [line, message] of WRONG) {
  t.test(`edge ${line}`, async (t) => {
    await t.rejects(read(line), { code: 'FLAG_INVALID', message })
  })
}

t.test('-h asks for help, as at the agent', async (t) => {
  for (const typed of [['-h'], ['run', '-h'], ['-h', 'run', '--domian']]) {
    t.match(await readLine(typed, { ...look, words: words('en') }), { help: /edge COMMAND|edge run/ }, typed.join(' '))
  }
})

t.test('help stands at 80 columns in both languages and needs nothing else right', async (t) => {
  for (const language of ['en', 'ja'] as const) {
    for (const command of ['', 'run ', 'invite ', 'agents ', 'agents revoke ', 'check ']) {
      const answer = await readLine(`${command}--help`.split(' '), { ...look, words: words(language) })
      if (!('help' in answer)) throw new Error('no help')
      t.match(answer.help, command === 'run ' ? '--public-host' : '--data')
      t.notMatch(answer.help, /\[(string|array|boolean)\]/)
    }
  }
})

t.test('the language is found before anything is read', async (t) => {
  t.equal(langFlag(['run', '--lang', 'ja']), 'ja')
  t.equal(langFlag(['--lang=en', 'run']), 'en')
  t.equal(langFlag(['run', '--', '--lang', 'ja']), undefined)
})
