import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Result, run } from '../support/command.ts'
import { LONG } from '../support/tools.ts'
import { agentCommand, edgeCommand, world } from '../support/world.ts'

/** What is typed, the exit code it must get, and what the one message must speak of. */
type Case = readonly [args: string, code: number, says?: RegExp]

const EDGE: readonly Case[] = [
  ['', 2],
  ['nonsense', 2, /nonsense/],
  ['run --nonsense', 2, /nonsense/],
  ['run --http', 2, /http/],
  ['run --http nowhere', 2, /http|nowhere/],
  ['run --http 127.0.0.1:70000', 2, /70000/],
  ['run --http 127.0.0.1:http', 2, /http/],
  ['run --https off', 2, /carrier/],
  ['run --domain -bad-', 2, /-bad-|domain/],
  ['run --domain under_score.example', 2, /under_score/],
  ['run --tcp-ports 5-1', 2, /5-1/],
  ['run --tcp-ports 1-99999', 2, /99999/],
  ['run --tcp-ports abc', 2, /abc/],
  ['run --grace soon', 2, /soon/],
  ['run --grace -5s', 2],
  ['run --log-level loud', 2, /loud/],
  ['run --lang fr', 2, /fr/],
  ['run --config FOLDER/absent.yaml', 2, /absent\.yaml/],
  ['run --config FOLDER/broken.yaml', 2, /broken\.yaml:\d+:\d+/],
  ['run --config FOLDER/unknown.yaml', 2, /unknown\.yaml:2:1 .*domian/],
  ['run --config FOLDER/wrong.yaml', 2, /wrong\.yaml:\d+:\d+ .*perAddress/s],
  ['check --config FOLDER/unknown.yaml', 2, /unknown\.yaml:2:1 .*domian/],
  ['check --config FOLDER/good.yaml', 0],
  ['invite home', 1, /no edge/],
  ['agents', 1, /no edge/],
  ['tunnels', 1, /no edge/],
  ['ca', 1, /no edge/],
  ['status', 1],
]

const EDGE_RUNNING: readonly Case[] = [
  ['invite', 2],
  ['invite Has.Dots', 2, /Has\.Dots/i],
  ['invite under_score', 2, /under_score/],
  ['invite -- -dash', 2, /-dash/],
  [`invite ${'x'.repeat(64)}`, 2, /63|x{60}/],
  ['invite home --expires never', 2, /never/],
  ['invite home --ports 9-1', 2, /9-1/],
  ['invite home --hosts not_a_host', 2, /not_a_host/],
  ['agents revoke nobody', 1, /nobody/],
  ['agents rename nobody somebody', 1, /nobody/],
  ['agents explode', 2, /explode/],
]

interface Table {
  readonly name: string
  readonly cases: readonly Case[]
  readonly command: (...args: string[]) => [string, ...string[]]
  readonly data: string
}

const LINE = `engawa1:${'A'.repeat(80)}`

const AGENT: readonly Case[] = [
  ['', 2],
  ['nonsense', 2, /nonsense/],
  ['join', 2],
  ['join hello', 2, /hello|engawa1/],
  ['join engawa1:', 2],
  ['join engawa1:!!!', 2],
  [`join ${LINE}`, 2],
  ['join engawa9:AAAA', 2],
  ['expose 8080', 2, /join/],
  ['up', 2, /join/],
  ['leave', 1, /no agent/],
  ['ls', 1, /no agent/],
  ['status', 1, /no agent/],
]

const AGENT_JOINED: readonly Case[] = [
  ['expose', 2],
  ['expose 0', 2, /0/],
  ['expose 70000', 2, /70000/],
  ['expose gopher://1', 2, /gopher/],
  ['expose tcp://22-', 2],
  ['expose tcp://30-20', 2, /30-20/],
  ['expose http://exa_mple:80:90', 2],
  ['expose 8080 --name has.dots', 2, /has\.dots/],
  ['expose 8080 --name -dash', 2],
  [`expose 8080 --name ${'x'.repeat(64)}`, 2],
  ['expose 8080 9090 --name one', 2, /name/],
  ['expose tcp://1 tcp://2 --port 5000', 2, /port/],
  ['expose 8080 9090 --host a.example', 2, /host/],
  ['expose 8080 9090 --path /a', 2, /path/],
  ['expose tcp://22 --port 99999', 2, /99999/],
  ['expose tcp://22 --port abc', 2, /abc/],
  ['expose 8080 --host not_a_host', 2, /not_a_host/],
  ['expose 8080 --nonsense', 2, /nonsense/],
  ['expose 8080 --config FOLDER/absent.yaml', 2, /absent\.yaml/],
  ['up --config FOLDER/tunnels.yaml', 2, /tunnels\.yaml:2:\d+/],
  ['status', 4],
]

t.test('a wrong command line gets one clear message and the right exit code', async (t) => {
  const here = await world(t)
  const folder = here.folder('files')
  mkdirSync(folder)
  const files = {
    'broken.yaml': 'domain: example.com\n  http: [\n',
    'unknown.yaml': 'http: 127.0.0.1:0\ndomian: example.com\n',
    'wrong.yaml': 'limits:\n  perAddress:\n    connections: many\n',
    'good.yaml': 'domain: example.com\nhttp: 127.0.0.1:8080\n',
    'tunnels.yaml': 'tunnels:\n  - target: gopher://x\n',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  await here.join('home')

  const tables: readonly Table[] = [
    { name: 'edge without state', cases: EDGE, command: edgeCommand, data: here.folder('no-edge') },
    { name: 'edge that runs', cases: EDGE_RUNNING, command: edgeCommand, data: here.edgeData },
    {
      name: 'agent on a file',
      cases: [['up', 1, /needed there/]],
      command: agentCommand,
      data: join(folder, 'good.yaml'),
    },
    { name: 'agent that never joined', cases: AGENT, command: agentCommand, data: here.folder('no-agent') },
    { name: 'agent that joined', cases: AGENT_JOINED, command: agentCommand, data: here.agentData('home') },
    {
      name: 'agent whose only target is refused',
      cases: [['expose tcp://169.254.169.254:80', 3, /--reach/]],
      command: agentCommand,
      data: here.agentData('home'),
    },
  ]
  for (const { name, cases, command, data } of tables) {
    // Each case is a process. The short form takes every third; the packages' own tests try all without one.
    const chosen = LONG ? cases : cases.filter((_, index) => index % 3 === 0)
    t.test(name, async (t) => {
      const each = async ([typed, code, says]: Case): Promise<void> => {
        const args = typed
          .replaceAll('FOLDER', folder)
          .split(' ')
          .filter((arg) => arg !== '')
        const result = await run(command(...withData(args, data)))
        t.test(typed || '(nothing)', async (t) => judge(t, result, code, says))
      }
      // Two at a time: each is a process.
      const queue = [...chosen]
      const worker = async (): Promise<void> => {
        // oxlint-disable-next-line no-await-in-loop -- a queue
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) await each(next)
      }
      await Promise.all([worker(), worker()])
    })
  }
})

/** `--data` goes before a `--` that ends the options. */
function withData(args: readonly string[], data: string): string[] {
  const end = args.indexOf('--')
  const at = end < 0 ? args.length : end
  return [...args.slice(0, at), '--data', data, ...args.slice(at)]
}

interface Judge {
  equal: (found: unknown, wanted: unknown, message: string) => unknown
  match: (found: string, wanted: RegExp, message: string) => unknown
  notMatch: (found: string, wanted: RegExp, message: string) => unknown
}

function judge(t: Judge, { code, stdout, stderr }: Result, wanted: number, says = /\S/): void {
  t.equal(code, wanted, `exit ${code} instead of ${wanted}:\n${stdout}${stderr}`)
  t.match(stderr + stdout, says, 'it says what is wrong')
  t.notMatch(stderr, /^\s+at .+:\d+:\d+/m, 'no stack trace')
}
