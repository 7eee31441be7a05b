// What stands in deploy/ for other programs than ours: containers, cloud-init, firewalls, fail2ban.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { edgeSettings } from '@engawa/edge/config'
import { formatRanges } from '@engawa/shared/ports'
import t from 'tap'
import { parse } from 'yaml'
import { run } from '../support/command.ts'
import { findTool, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy')
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8')
const root = process.getuid?.() === 0 ? false : 'needs root: it makes a network namespace'

t.test('the Dockerfile: two stages, nobody’s user, a health check, both processors, no floating tags', async (t) => {
  // No linter for it is packaged for Debian: what one would look at first is looked at here.
  const lines = read('container/Dockerfile').replaceAll('\\\n', ' ').split('\n')
  const words = lines.filter((line) => /^[A-Z]/.test(line))
  const stages = words.filter((line) => line.startsWith('FROM '))
  t.equal(stages.length, 2)
  for (const stage of stages) t.match(stage, /:[\w.-]*\d[\w.-]*(?: AS \w+)?$/, stage)
  const last = words.slice(words.indexOf(stages[1] ?? ''))
  t.match(
    last.find((line) => line.startsWith('USER ')),
    /^USER [1-9]\d*:[1-9]\d*$/,
  )
  t.ok(last.findIndex((line) => line.startsWith('USER ')) > last.findLastIndex((line) => line.startsWith('RUN ')))
  for (const word of ['HEALTHCHECK', 'ENTRYPOINT'])
    t.match(
      last.find((line) => line.startsWith(word)),
      /\["/,
      word,
    )
  t.ok(words.includes('ARG TARGETARCH'))
  t.notOk(
    words.some((line) => line.startsWith('ADD ')),
    'nothing is fetched unchecked',
  )
  for (const line of words.filter((each) => each.includes('apt-get install'))) {
    t.match(line, /--no-install-recommends.*rm -rf \/var\/lib\/apt\/lists/)
  }
})

interface Compose {
  readonly services: Record<string, Record<string, unknown>>
  readonly volumes: Record<string, unknown>
  readonly configs?: Record<string, { content: string }>
}

t.test('the compose files: no rights, nothing to write but the state, time to drain', async (t) => {
  for (const program of ['edge', 'agent'] as const) {
    const { services, volumes } = parse(read(`container/${program}.compose.yaml`)) as Compose
    const service = services[program] ?? {}
    t.match(service, {
      image: `engawa-${program}`,
      user: '10001:10001',
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      read_only: true,
      volumes: [`${program}:/data`],
      stop_grace_period: '45s',
    })
    t.same(Object.keys(volumes), [program])
  }
})

t.test('cloud-init: its keys, its script, and settings that an edge takes', async (t) => {
  const text = read('cloud-init/edge.yaml')
  t.match(text, /^#cloud-config\n/, 'the first line says what it is')
  const data = parse(text) as { write_files: { path: string; content: string }[]; runcmd: string[][] }
  t.same(Object.keys(data).toSorted(), ['package_update', 'packages', 'runcmd', 'write_files'])
  const [settings, script] = data.write_files
  t.same(data.runcmd, [[script?.path]])
  t.equal(settings?.path, '/etc/engawa/edge.yaml')
  const file = { path: 'edge.yaml', text: settings?.content ?? '' }
  t.equal(edgeSettings({ flags: {}, file, language: 'en', mayBindLow: true }).domain, 'example.com')
  const path = join(t.testdir(), 'first-boot')
  writeFileSync(path, script?.content ?? '')
  t.equal(spawnSync('sh', ['-n', path]).status, 0)
})

t.test('nftables takes the rules, twice', { skip: root || without('nft', 'unshare') }, async (t) => {
  const file = join(DEPLOY, 'firewall/engawa.nft')
  const command = `nft -c -f "$1" && nft -f "$1" && nft -f "$1" && nft list ruleset`
  const { code, stdout, stderr } = await run([
    'unshare',
    '--net',
    'sh',
    '-c',
    `PATH=$PATH:/usr/sbin; ${command}`,
    'sh',
    file,
  ])
  t.equal(code, 0, stderr)
  t.equal(stdout.match(/chain input/g)?.length, 1)
})

t.test('the firewalls open what an edge uses by default', async (t) => {
  const usual = edgeSettings({ flags: {}, file: { path: '', text: '' }, language: 'en', mayBindLow: true })
  const { http, https } = usual
  t.same([http.port, https === 'off' ? 0 : https.port], [80, 443])
  const example = edgeSettings({
    flags: {},
    file: { path: '', text: read('edge.example.yaml') },
    language: 'en',
    mayBindLow: true,
  })
  const tunnels = formatRanges(example.tcpPorts)
  t.match(read('firewall/engawa.nft'), `elements = { ${tunnels} }`)
  t.match(read('firewall/engawa.ufw'), `ports=${tunnels.replace('-', ':')}/tcp|${tunnels.replace('-', ':')}/udp`)
  t.match(read('firewall/engawa.ufw'), 'ports=80,443/tcp')
})

t.test(
  'fail2ban finds in our access log who is refused, and nobody else',
  { skip: without('fail2ban-regex', 'curl') },
  async (t) => {
    const here = await world(t)
    const log = here.folder('access.log')
    await here.edge.stop()
    writeFileSync(join(here.edgeData, 'edge.yaml'), `access_log: { file: ${log}, format: json }\n`)
    await here.startEdge()
    const services = await here.services()
    await here.join('home')
    await here.publish('home', String(services.http))
    const forged = '/?","by":"edge","code":"HOST_UNKNOWN"'
    await run(here.curl('home', '/'))
    await run(
      here.curl(
        'home',
        '/',
        '--header',
        'User-Agent: ","by":"edge","code":"HOST_UNKNOWN"',
        '--globoff',
        '--get',
        '--data-urlencode',
        forged,
      ),
    )
    await run(here.curl('nobody', '/'))
    await run(here.curl('nobody', '/wp-login.php'))
    // What is written is flushed at the end.
    await here.edge.stop()
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const refused = lines.filter((line) => (JSON.parse(line) as { code?: string }).code === 'HOST_UNKNOWN').length
    t.equal(refused, 2)
    const filter = join(DEPLOY, 'fail2ban/engawa.conf')
    const { stdout, stderr } = await run([findTool('fail2ban-regex') ?? '', log, filter])
    t.match(
      stdout,
      `Lines: ${lines.length} lines, 0 ignored, ${refused} matched, ${lines.length - refused} missed`,
      stderr,
    )
  },
)
