import { appendFileSync, existsSync, lstatSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test as Tap } from 'tap'
import { run } from '../support/command.ts'
import { type Event, Program } from '../support/program.ts'
import { findTool, without } from '../support/tools.ts'
import { Built } from './build.ts'
import { Debian, left } from './debian.ts'

const [FIRST, SECOND] = ['0.1.0', '0.1.1']
const SERVE = join(import.meta.dirname, '../support/services/serve.ts')
/** Where Debian's arm64 libraries lie on a machine of another kind. */
const ARM64 = '/usr/aarch64-linux-gnu'

const built = new Built()
t.teardown(() => built.remove())

t.test('one command builds executables, packages and their checksums', { skip: without('dpkg-deb') }, async (t) => {
  const startedAt = performance.now()
  await built.make('--version', FIRST)
  t.comment(`npm run package, two programs for two processors: ${seconds(startedAt)} s`)
  const { code, stdout } = await run(['sha256sum', '--check', 'SHA256SUMS'], { cwd: built.folder })
  t.equal(code, 0, stdout)
  t.equal(stdout.match(/: OK$/gm)?.length, 8)
  for (const program of ['edge', 'agent'] as const) {
    const mib = statSync(built.executable(program)).size / 2 ** 20
    const deb = statSync(built.deb(program, FIRST)).size / 2 ** 20
    t.comment(`engawa-${program}: ${mib.toFixed(0)} MiB, its package ${deb.toFixed(0)} MiB`)
  }
})

t.test('an executable speaks, in both languages, and starts fast', async (t) => {
  for (const program of ['edge', 'agent'] as const) {
    const file = built.executable(program)
    const times: number[] = []
    for (let round = 0; round < 5; round++) {
      const startedAt = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      const { code, stdout } = await run([file, '--version'])
      times.push(performance.now() - startedAt)
      t.same([code, stdout], [0, `${FIRST}\n`])
    }
    t.comment(`engawa-${program} --version: ${Math.round(times.toSorted((a, b) => a - b)[2] ?? 0)} ms (median of 5)`)
    // oxlint-disable-next-line no-await-in-loop -- one program after the other
    const { stdout } = await run([file, '--help', '--lang', 'ja'])
    t.match(stdout, /[ぁ-ん]/)
  }
})

/** Debian's libraries for arm64, which no program stands for. */
const libraries = existsSync(`${ARM64}/lib/libc.so.6`)
  ? false
  : 'needs the arm64 libraries of Debian (libc6-arm64-cross)'
if (libraries !== false && process.env['ENGAWA_REQUIRE_ALL'] === '1') throw new Error(libraries)
const arm64 = without('qemu-aarch64') || libraries
t.test('the arm64 executables start under qemu and print their version', { skip: arm64 }, async (t) => {
  const emulator = findTool('qemu-aarch64') ?? ''
  for (const program of ['edge', 'agent'] as const) {
    const command = [emulator, '-L', ARM64, built.executable(program, 'arm64'), '--version'] as const
    // oxlint-disable-next-line no-await-in-loop -- one emulator at a time
    const { code, stdout, stderr } = await run([...command], { deadlineMs: 120_000 })
    t.same([code, stdout], [0, `${FIRST}\n`], stderr)
  }
})

t.test('from unpacked files to a public address: four commands, within ten seconds', async (t) => {
  const folder = t.testdir()
  const service = program(t, 'service', [process.execPath, SERVE, 'service'])
  const { http: port } = await service.until('ready')
  t.teardown(() => run(['rm', '-rf', data('edge')[1] ?? '', data('agent')[1] ?? '']))
  const listens = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--bind', '127.0.0.1']

  const startedAt = performance.now()
  const edge = program(t, 'edge', [built.executable('edge'), 'run', '--json', ...listens, ...data('edge')])
  const ready = await edge.until('ready')
  const invited = await run([built.executable('edge'), 'invite', 'home', ...data('edge')])
  const line = /engawa1:[\w-]+/.exec(invited.stdout)?.[0] ?? ''
  const joined = await run([built.executable('agent'), 'join', line, ...data('agent')], { cwd: folder })
  t.equal(joined.code, 0, joined.stderr)
  const agent = program(t, 'agent', [built.executable('agent'), 'expose', String(port), '--json', ...data('agent')])
  await agent.until('tunnel', { witnesses: [edge] })
  const spentMs = performance.now() - startedAt
  t.comment(`edge run, edge invite, agent join, agent expose: ${Math.round(spentMs)} ms of machine time`)
  t.ok(spentMs < 10_000, `${Math.round(spentMs)} ms`)
  const fetched = await run(['curl', '-sS', '--header', 'Host: home.localhost', `http://${String(ready['http'])}/`])
  t.match(fetched.stdout, 'service', fetched.stderr)
})

const debianTools = without('debootstrap', 'unshare', 'nsenter', 'curl', 'apt-get')
const root = process.getuid?.() === 0 ? false : 'needs root'
t.test(
  'in an empty Debian: install, start, join, expose, fetch, upgrade, remove',
  { skip: debianTools || root },
  async (t) => {
    const debian = new Debian()
    t.teardown(() => debian.close())
    let startedAt = performance.now()
    await debian.bootstrap()
    t.comment(`debootstrap: ${seconds(startedAt)} s`)
    const succeed = async (...command: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await debian.do(...command)
      t.equal(code, 0, `${command.join(' ')}\n${stdout}\n${stderr}`)
      return stdout
    }
    t.not((await debian.do('sh', '-c', 'command -v node || command -v npm')).code, 0, 'neither Node nor npm')

    startedAt = performance.now()
    for (const program of ['edge', 'agent'] as const) {
      // oxlint-disable-next-line no-await-in-loop -- apt locks itself
      await succeed('apt-get', 'install', '--yes', debian.bring(built.deb(program, FIRST)))
    }
    t.comment(`apt-get install of both packages: ${seconds(startedAt)} s`)
    t.equal(await succeed('edge', '--version'), `${FIRST}\n`, 'the short name')
    t.match(await succeed('stat', '--format=%U %a', '/var/lib/engawa/edge'), 'engawa-edge 700')
    t.match(await succeed('bash', '-c', COMPLETE), 'invite', 'completion')
    for (const path of ['usr/share/man/man1/engawa-edge.1.gz', 'usr/lib/systemd/system/engawa-edge.service']) {
      t.ok(existsSync(join(debian.root, path)), path)
    }

    const start = (name: string, command: readonly string[]): Program => program(t, name, debian.enter(...command))
    const edge = start('edge', as('engawa-edge', 'engawa-edge', 'run', '--json', '--data', '/var/lib/engawa/edge'))
    const ready = await edge.until('ready', { deadlineMs: 60_000 })
    t.equal(String(ready['http']).split(':').at(-1), '80', 'its own user may open low ports')
    const line = /engawa1:[\w-]+/.exec(await succeed('engawa-edge', 'invite', 'home'))?.[0] ?? ''
    await succeed('engawa-agent', 'join', line)
    t.match(
      await succeed('stat', '--format=%U', '/var/lib/engawa/agent/key.pem'),
      'engawa-agent',
      'root joins for the service',
    )
    const service = program(t, 'service', debian.inNetwork(process.execPath, SERVE, 'at home'))
    const { http: port } = await service.until('ready')
    const agent = start('agent', as('engawa-agent', 'engawa-agent', 'expose', String(port), '--json', ...STATE))
    await agent.until('tunnel', { deadlineMs: 60_000, witnesses: [edge] })
    t.match(await fetchHome(debian), 'at home')
    await servicesIn(t, debian, succeed)

    await built.make('--version', SECOND, '--arch', 'x64', '--programs', 'edge')
    const second = debian.bring(built.deb('edge', SECOND))
    appendFileSync(join(debian.root, 'etc/engawa/edge.yaml'), '# mine\n')
    startedAt = performance.now()
    const upgrading = succeed('apt-get', 'install', '--yes', second)
    const asked = await fetchUntil(upgrading, () => fetchHome(debian))
    t.comment(`upgrade: ${seconds(startedAt)} s, ${asked.length} requests meanwhile`)
    t.ok(asked.length > 0)
    t.same(
      asked.filter((answer) => !answer.includes('at home')),
      [],
      'every request meanwhile was answered',
    )
    t.equal(await succeed('engawa-edge', '--version'), `${SECOND}\n`)
    t.match(readFileSync(join(debian.root, 'etc/engawa/edge.yaml'), 'utf8'), '# mine', 'the settings stay')
    if ((await succeed('engawa-edge', '--help')).includes('edge upgrade')) {
      t.equal((await statusOf(debian, 'engawa-edge'))['version'], SECOND, 'the new version serves')
    }
    t.match(await succeed('engawa-edge', 'agents'), 'home', 'the state stays')

    rmSync(join(debian.root, 'etc/engawa/agent.yaml'))
    await succeed('apt-get', 'install', '--yes', '--reinstall', debian.bring(built.deb('agent', FIRST)))
    t.notOk(existsSync(join(debian.root, 'etc/engawa/agent.yaml')), 'settings that were removed stay removed')

    // By its number inside: a signal to the program that entered would not reach who it started.
    await succeed('sh', '-c', `kill ${String((await statusOf(debian, 'engawa-agent'))['pid'])}`)
    await agent.exited
    await succeed('sh', '-c', STOP, 'sh', String((await statusOf(debian, 'engawa-edge'))['pid']))
    await edge.exited
    await succeed('apt-get', 'remove', '--yes', 'engawa-edge', 'engawa-agent')
    t.not((await debian.do('sh', '-c', 'command -v edge || command -v engawa-edge')).code, 0, 'removed')
    t.ok(left(debian.root, 'var/lib/engawa/edge').includes('edge.db'), 'removal keeps the state')
    await succeed('apt-get', 'purge', '--yes', 'engawa-edge', 'engawa-agent')
    t.same(left(debian.root, 'var/lib/engawa'), [])
    t.same(left(debian.root, 'etc/engawa'), [])
    t.notMatch(readFileSync(join(debian.root, 'etc/passwd'), 'utf8'), 'engawa', 'purge takes the users away')
  },
)

/** systemd does not run here: it writes down what it is to do, and starts nothing. */
async function servicesIn(
  t: Tap,
  debian: Debian,
  succeed: (...command: readonly string[]) => Promise<string>,
): Promise<void> {
  const there = (path: string): boolean => lstatSync(join(debian.root, path), { throwIfNoEntry: false }) !== undefined
  const wanted = 'etc/systemd/system/multi-user.target.wants'
  t.ok(there(`${wanted}/engawa-edge.service`), 'the package lets the edge start with the machine')
  t.match(await succeed('engawa-agent', 'service', 'install'), 'home')
  t.ok(there(`${wanted}/engawa-agent.service`), 'the agent starts with the machine')
  const system = join(debian.root, 'etc/systemd/system/engawa-agent.service')
  t.notOk(existsSync(system), 'by the unit of its package')
  await succeed('cp', '-r', '/var/lib/engawa/agent', '/var/lib/engawa/second')
  await succeed('engawa-agent', 'service', 'install', '--data', '/var/lib/engawa/second')
  t.match(readFileSync(system, 'utf8'), '--data /var/lib/engawa/second\n', 'another folder has another unit')
  await succeed('engawa-agent', 'service', 'uninstall', '--data', '/var/lib/engawa/second')
  await succeed('rm', '-r', '/var/lib/engawa/second')
  await succeed('engawa-agent', 'service', 'install')
  await succeed('sh', '-c', 'cp -r /var/lib/engawa/agent /tmp/own && chown -R nobody /tmp/own')
  const nobody = [
    'setpriv',
    '--reuid=nobody',
    '--regid=nogroup',
    '--clear-groups',
    'env',
    'XDG_CONFIG_HOME=/tmp/config',
  ]
  await succeed('install', '-d', '-o', 'nobody', '/tmp/config')
  const own = [...nobody, 'engawa-agent', 'service']
  await succeed(...own, 'install', '--data', '/tmp/own')
  const unit = join(debian.root, 'tmp/config/systemd/user/engawa-agent.service')
  t.match(readFileSync(unit, 'utf8'), 'ExecStart=/usr/bin/engawa-agent up --data /tmp/own\n')
  await succeed(...own, 'uninstall', '--data', '/tmp/own')
  t.notOk(existsSync(unit))
}

/** Short: a socket lies in it. */
const data = (of: string): string[] => ['--data', join('/tmp', `engawa-new-${process.pid}-${of}`)]

/** Ends the edge whose serving process is $1: by the one that started that, where it is one of ours, else by itself. */
const STOP = `
pid=$1
parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
case "$(readlink "/proc/$parent/exe")" in */engawa-edge*) pid=$parent ;; esac
kill "$pid"`
const STATE = ['--data', '/var/lib/engawa/agent']
const COMPLETE =
  '. /usr/share/bash-completion/completions/engawa-edge; COMP_WORDS=(edge inv); COMP_CWORD=1; _engawa_edge; echo "${COMPREPLY[@]}"'

function as(user: string, ...command: readonly string[]): string[] {
  return ['setpriv', ...rightsOf(user), ...command]
}

/** As the unit gives them. */
function rightsOf(user: string): string[] {
  const rights = ['--inh-caps=-all,+net_bind_service', '--ambient-caps=-all,+net_bind_service']
  return [`--reuid=${user}`, `--regid=${user}`, '--init-groups', ...rights, '--bounding-set=-all,+net_bind_service']
}

async function fetchHome(debian: Debian): Promise<string> {
  const curl = ['curl', '--silent', '--show-error', '--max-time', '30', '--header', 'Host: home.localhost']
  const { code, stdout, stderr } = await run(debian.inNetwork(...curl, 'http://127.0.0.1/'), { deadlineMs: 60_000 })
  return code === 0 ? stdout : `exit ${code}: ${stderr}`
}

async function fetchUntil(end: Promise<unknown>, ask: () => Promise<string>): Promise<string[]> {
  const answers: string[] = []
  const over = new AbortController()
  void end.finally(() => over.abort())
  while (!over.signal.aborted) {
    // oxlint-disable-next-line no-await-in-loop -- one visitor who comes again and again
    answers.push(await ask())
  }
  await end
  return answers
}

async function statusOf(debian: Debian, program: 'engawa-edge' | 'engawa-agent'): Promise<Event> {
  const { stdout, stderr } = await debian.do(program, 'status', '--json')
  return JSON.parse(stdout || `{"event":"none","why":${JSON.stringify(stderr)}}`) as Event
}

function program(
  t: { teardown: (end: () => Promise<void>) => unknown },
  name: string,
  command: readonly string[],
): Program {
  const started = new Program({ name, command: command as [string, ...string[]] })
  t.teardown(() => started.kill())
  return started
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1)
}
