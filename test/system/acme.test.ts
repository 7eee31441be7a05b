import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { PeerCertificate } from 'node:tls'
import t from 'tap'
import { DIALLED, handshake, isIssued, PATIENCE, scene, withoutCa as skip } from '../support/acme.ts'
import { run } from '../support/command.ts'
import { Pebble } from '../support/pebble.ts'
import { Shim } from '../support/shim.ts'
import { agentCommand, type World, world } from '../support/world.ts'

/** Who proves to be `name` at the edge's HTTPS port, by the roots given. */
async function shown(here: World, name: string, ca: string): Promise<PeerCertificate> {
  const socket = await handshake(here, { servername: name, ca })
  const certificate = socket.getPeerCertificate()
  socket.destroy()
  return certificate
}

t.test('HTTP-01: the domain, a leased name and an own domain; public becomes https [M4]', { skip }, async (t) => {
  const { pebble, here } = await scene(t, { rest: ['hsts: 1d'] })
  const services = await here.services()
  await here.join('home', '--hosts', 'www.shop.test')
  const agent = here.expose('home', String(services.http), '--name', 'blog', '--host', 'www.shop.test')
  const told = await agent.until(
    ({ event, public: address }) => event === 'tunnel' && String(address).startsWith('https:'),
    {
      ...PATIENCE,
      witnesses: [here.edge],
    },
  )
  await here.edge.untilLogged(isIssued('blog.tunnel.test'), PATIENCE)
  await here.edge.untilLogged(isIssued('tunnel.test'), PATIENCE)
  t.equal(told['public'], `https://www.shop.test:${here.https.split(':')[1]}`)
  for (const name of ['tunnel.test', 'blog.tunnel.test', 'www.shop.test']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.equal((await shown(here, name, pebble.root)).subjectaltname, `DNS:${name}`)
  }
  const port = here.https.split(':')[1]
  const plain = await run(here.curl('blog', '/a?b=c', '--head'))
  t.match(plain.stdout, /^HTTP\/1\.1 308 /)
  t.match(plain.stdout, `Location: https://blog.tunnel.test:${port}/a?b=c\r\n`)
  const root = join(pebble.folder, 'root.pem')
  writeFileSync(root, pebble.root)
  const secure = await run([
    'curl',
    '-sSi',
    '--noproxy',
    '*',
    '--cacert',
    root,
    '--resolve',
    `blog.tunnel.test:${port}:127.0.0.1`,
    `https://blog.tunnel.test:${port}/`,
  ])
  t.match(secure.stdout, /^HTTP\/2 200/, secure.stderr)
  t.match(secure.stdout, /strict-transport-security: max-age=86400\r\n/i)
  const stranger = await run(here.curl('blog', '/.well-known/acme-challenge/made-up'))
  t.equal(stranger.stdout, '', 'the service is not asked about challenges')
  const { certificates } = JSON.parse((await here.edgeDo('status', '--json')).stdout) as {
    certificates: { names: string[]; until?: string; problem?: unknown }[]
  }
  t.same(
    certificates.map(({ names, problem }) => [names, problem]),
    [
      [['tunnel.test'], undefined],
      [['blog.tunnel.test'], undefined],
      [['www.shop.test'], undefined],
    ],
  )
  t.ok(certificates.every(({ until }) => Date.parse(String(until)) > Date.now()))
})

t.test('TLS-ALPN-01 issues where port 80 is closed', { skip }, async (t) => {
  const { pebble, here } = await scene(t, { acme: ['challenges: [tls-alpn-01]'] })
  pebble.http.refuse()
  await here.edge.untilLogged(isIssued('tunnel.test'), PATIENCE)
  t.equal((await shown(here, 'tunnel.test', pebble.root)).subjectaltname, 'DNS:tunnel.test')
})

t.test('DNS-01 through a hook: one wildcard for every name', { skip }, async (t) => {
  const pebble = await Pebble.open(t)
  const hook = join(pebble.folder, 'hook')
  const script = `#!/bin/sh
case $1 in
present) curl --silent --fail --data "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ${pebble.dnsApi}/set-txt ;;
cleanup) curl --silent --fail --data "{\\"host\\":\\"$2.\\"}" ${pebble.dnsApi}/clear-txt ;;
esac
`
  writeFileSync(hook, script, { mode: 0o755 })
  const config = pebble.config(['dns:', `  hook: ${hook}`, '  wait: 0s'])
  const here = await world(t, { domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', config] })
  await here.edge.untilLogged(isIssued('tunnel.test'), PATIENCE)
  const services = await here.services()
  await here.join('home')
  const { tunnel } = await here.publish('home', String(services.http), '--name', 'blog')
  t.match(tunnel.public, 'https://blog.tunnel.test:', 'at once: the wildcard is there')
  const peer = await shown(here, 'blog.tunnel.test', pebble.root)
  t.same(peer.subjectaltname?.split(', ').toSorted(), ['DNS:*.tunnel.test', 'DNS:tunnel.test'])
  t.equal(pebble.said(/Added order/), 1)
})

t.test(
  'before its certificate is there, an own domain is served over HTTP, and the terminal says what comes',
  { skip },
  async (t) => {
    const pebble = await Pebble.open(t)
    // The way to the CA: held up, every order takes for ever.
    const way = await Shim.open()
    t.teardown(() => way.close())
    way.lead(new URL(pebble.directory).host)
    way.pause()
    const config = pebble.config([], [], `https://127.0.0.1:${way.port}/dir`)
    const here = await world(t, { domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', config] })
    pebble.lead(here)
    const services = await here.services()
    await here.join('home', '--hosts', 'www.shop.test')
    const flags = ['--name', 'shop', '--host', 'www.shop.test', '--data', here.agentData('home'), '--lang', 'en']
    const agent = here.start('agent home', agentCommand('expose', String(services.http), ...flags))
    const said = async (wanted: RegExp): Promise<void> => {
      const deadline = performance.now() + PATIENCE.deadlineMs
      while (!agent.lines.some((line) => wanted.test(line))) {
        if (performance.now() > deadline)
          throw new Error(`never said ${wanted}\n${agent.report()}\n${here.edge.report()}`)
        // oxlint-disable-next-line no-await-in-loop -- plain lines are no events
        await setTimeout(50)
      }
    }
    await said(/^http:\/\/www\.shop\.test:\d+ -> /)
    await said(/^https follows when its certificate is there/)
    const [host, port] = here.https.split(':')
    const resolve = ['--noproxy', '*', '--resolve', `www.shop.test:${port}:${host}`]
    const plain = await run([
      'curl',
      '-sS',
      '--noproxy',
      '*',
      '-H',
      'Host: www.shop.test',
      `http://${here.http}/kilobyte`,
    ])
    t.equal(plain.stdout.length, 1024, plain.stderr)
    const early = await run(['curl', '-sS', ...resolve, `https://www.shop.test:${port}/`])
    t.equal(early.code, 35, 'HTTPS says that it does not serve this name; no certificate of another one is shown')
    t.match(early.stderr, /unrecognized name/i)

    way.restore()
    await said(/^https:\/\/www\.shop\.test:\d+ -> /)
    const root = join(pebble.folder, 'root.pem')
    writeFileSync(root, pebble.root)
    const later = await run(['curl', '-sS', '--cacert', root, ...resolve, `https://www.shop.test:${port}/kilobyte`])
    t.equal(later.stdout.length, 1024, later.stderr)
  },
)
