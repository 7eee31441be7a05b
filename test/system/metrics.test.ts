import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/command.ts'
import { findTool, without } from '../support/tools.ts'
import { World } from '../support/world.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy')
const RULES = join(DEPLOY, 'prometheus/engawa.rules.yml')
const CONFIG = join(DEPLOY, 'prometheus/prometheus.example.yml')
const DASHBOARD = join(DEPLOY, 'grafana/engawa.json')

const here = await World.open()
t.teardown(() => here.close())
const services = await here.services()
await here.join('home')
const { agent } = await here.publish(
  'home',
  [String(services.http), `tcp://${services.echo}`],
  '--admin',
  '127.0.0.1:0',
  '--log-level',
  'info',
)
for (let round = 0; round < 3; round++) {
  // oxlint-disable-next-line no-await-in-loop -- one visitor after the other
  await run(here.curl('home', '/'))
}
await run(here.curl('nobody', '/'))

/** What is asked for below. */
const COUNTED = [
  'engawa_edge_requests_total{tunnel="home",status="200",by="service"} 3\n',
  'engawa_edge_refusals_total{code="HOST_UNKNOWN"} 1\n',
]
const edge = await counted()
const own = await ofSocket(join(here.agentData('home'), 'agent.sock'))

t.test('an edge shows its figures to who has the token', async (t) => {
  t.equal((await fetch(`http://${here.admin}/metrics`)).status, 401)
  t.match(edge, 'engawa_edge_sessions{agent="home",state="online"} 1\n')
  for (const line of COUNTED) t.match(edge, line)
  t.match(edge, /engawa_edge_tunnel_bytes_total\{tunnel="home",direction="sent"\} [1-9]/)
  t.match(edge, /engawa_edge_certificate_expiry_timestamp_seconds\{certificate="visitors"\} \d{10}\n/)
  t.match(edge, /engawa_edge_answer_seconds_bucket\{le="\+Inf"\} [4-9]\n/)
  t.match(edge, /engawa_event_loop_delay_seconds\{rank="p99"\} [\d.e-]+\n/)
})

t.test('an agent shows its own on agent.sock, and at --admin', async (t) => {
  t.match(own, 'engawa_agent_connected 1\n')
  t.match(own, /engawa_agent_tunnel_bytes_total\{tunnel="home",direction="sent"\} [1-9]/)
  await agent.untilLogged(/"admin":"127\.0\.0\.1:\d+"/)
  const address = /"admin":"([\d.:]+)"/.exec(agent.log.join('\n'))?.[1] ?? ''
  t.match(await scraped(`http://${address}`), 'engawa_agent_connected 1\n')
  t.equal((await fetch(`http://${address}/status`)).status, 404)
})

t.test('every figure that the dashboard and the alert rules name is there', async (t) => {
  // One line, or several that are indented further.
  const rules = readFileSync(RULES, 'utf8').matchAll(/^ +expr: (?:\|\n((?: {10,}.*\n)+)|(.*))/gm)
  const dashboard = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: { targets: { expr: string }[] }[] }
  const asked = [
    ...[...rules].map(([, several, one]) => several ?? one ?? ''),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ]
  const described = new Set([...`${edge}${own}`.matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name))
  for (const expr of asked) {
    const names = [...expr.matchAll(/\b(?:engawa|process)_\w+/g)].map(([name]) =>
      name.replace(/_(?:bucket|sum|count)$/, ''),
    )
    t.ok(names.length > 0, expr)
    for (const name of names) t.ok(described.has(name), `${name} in ${expr}`)
  }
})

t.test('a Prometheus takes the figures and the alert rules', { skip: without('promtool') }, async (t) => {
  const promtool = findTool('promtool') ?? ''
  const rules = await run([promtool, 'check', 'rules', RULES])
  t.equal(rules.code, 0, rules.stdout + rules.stderr)
  const config = await run([promtool, 'check', 'config', '--syntax-only', CONFIG])
  t.equal(config.code, 0, config.stdout + config.stderr)
  for (const figures of [edge, own]) {
    // oxlint-disable-next-line no-await-in-loop -- one tool at a time
    const { code, stdout, stderr } = await run([promtool, 'check', 'metrics'], { input: figures })
    t.equal(code, 0, stdout + stderr)
  }
})

function token(): string {
  return readFileSync(join(here.edgeData, 'admin.token'), 'utf8').trim()
}

/** The edge's figures, once it knows of all who have asked: one who has the whole answer may be counted a moment later. */
async function counted(): Promise<string> {
  const deadline = performance.now() + 30_000
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    const figures = await scraped(`http://${here.admin}`, { authorization: `Bearer ${token()}` })
    if (COUNTED.every((line) => figures.includes(line)) || performance.now() > deadline) return figures
  }
}

async function scraped(origin: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${origin}/metrics`, { headers })
  if (response.status !== 200) throw new Error(`${origin}/metrics: ${response.status} ${await response.text()}`)
  return response.text()
}

function ofSocket(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: '/metrics', headers: { host: 'agent' } }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => resolve(text))
    })
    asking.on('error', reject)
    asking.end()
  })
}
