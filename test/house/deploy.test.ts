import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '@engawa/agent/config'
import { edgeSettings } from '@engawa/edge/config'
import t from 'tap'

const path = (name: string): string => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url))
const read = (file: string, text: string): ReturnType<typeof edgeSettings> =>
  edgeSettings({ flags: {}, file: { path: file, text }, language: 'en', mayBindLow: true })

const text = readFileSync(path('edge.example.yaml'), 'utf8')

t.test('deploy/edge.example.yaml is taken by an edge', async (t) => {
  const settings = read('edge.example.yaml', text)
  t.equal(settings.domain, 'example.com')
  t.same(settings.tcpPorts, [[20_000, 29_999]])
})

t.test('deploy/edge.example.yaml states the defaults where it says so', async (t) => {
  const settings = read('edge.example.yaml', text)
  const usual = read('edge.yaml', '')
  t.same(settings.limits, usual.limits)
  for (const key of ['http', 'https', 'admin', 'graceMs', 'httpsRedirect', 'hstsMs'] as const)
    t.same(settings[key], usual[key], key)
})

t.test('what deploy/edge.example.yaml has in comments is taken, too', async (t) => {
  const settings = read('edge.example.yaml', text.replaceAll(/^# (?=[a-z-]+: \S+$)/gm, ''))
  t.equal(settings.carrier?.port, 7443)
  t.equal(settings.bind, '203.0.113.5')
})

t.test('so is the part on certificates', async (t) => {
  const from = text.indexOf('# tls:')
  const part = text.slice(from, text.indexOf('\n\n', from)).replaceAll(/^# /gm, '')
  const { tls } = read('edge.example.yaml', `domain: veranda.jp\n${part}`)
  t.equal(tls.acme?.email, 'you@example.com')
  t.match(tls.acme?.directory, 'staging')
  t.same(tls.files, [{ name: 'www.example.com', cert: '/etc/ssl/www.pem', key: '/etc/ssl/www.key' }])
})

t.test('deploy/agent.example.yaml is taken by an agent', async (t) => {
  const wishes = loadConfig(path('agent.example.yaml'), 'en').tunnels
  t.same(
    wishes.map(({ name }) => name),
    ['blog', 'nas', 'api', 'ssh', 'games', 'app', 'files', 'desktop', 'bedrock', 'photos'],
  )
})
