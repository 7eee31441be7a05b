import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type PeerCertificate } from 'node:tls'
import t, { type Test } from 'tap'
import { run } from '../support/command.ts'
import { Pebble, type PebbleOptions } from '../support/pebble.ts'
import { LONG, without } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const skip = without('pebble', 'pebble-challtestsrv', 'curl')

/** No agent can look `tunnel.test` up. */
const DIALLED = ['--public-host', '127.0.0.1']

interface Scene {
  readonly pebble: Pebble
  readonly here: World
}

/** An edge for `tunnel.test` whose certificates pebble issues. */
async function scene(
  t: Test,
  {
    acme = [],
    rest = [],
    edgeFlags = [],
    ...options
  }: PebbleOptions & { acme?: readonly string[]; rest?: readonly string[]; edgeFlags?: readonly string[] } = {},
): Promise<Scene> {
  const pebble = await Pebble.open(t, options)
  const here = await world(t, {
    domain: 'tunnel.test',
    edgeFlags: [...DIALLED, '--config', pebble.config(acme, rest), ...edgeFlags],
  })
  pebble.lead(here)
  return { pebble, here }
}

/** Who proves to be `name` at the edge's HTTPS port, by the roots given. */
function shown(here: World, name: string, ca: string): Promise<PeerCertificate> {
  const [host = '', port] = here.https.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername: name, ca }, () => {
      resolve(socket.getPeerCertificate())
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

/** The edge's log says so. */
const isIssued = (name: string): RegExp => new RegExp(`"names":\\["${name.replaceAll('.', '\\.')}".*certificate issued`)

t.test('HTTP-01: the domain, a leased name and an own domain; public becomes https [M4]', { skip }, async (t) => {
  const { pebble, here } = await scene(t, { rest: ['hsts: 1d'] })
  const services = await here.services()
  await here.join('home', '--hosts', 'www.shop.test')
  const agent = here.expose('home', String(services.http), '--name', 'blog', '--host', 'www.shop.test')
  const told = await agent.until(
    ({ event, public: address }) => event === 'tunnel' && String(address).startsWith('https:'),
    {
      deadlineMs: 30_000,
      witnesses: [here.edge],
    },
  )
  await here.edge.untilLogged(isIssued('blog.tunnel.test'), { deadlineMs: 30_000 })
  await here.edge.untilLogged(isIssued('tunnel.test'), { deadlineMs: 30_000 })
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
  await here.edge.untilLogged(isIssued('tunnel.test'), { deadlineMs: 30_000 })
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
  await here.edge.untilLogged(isIssued('tunnel.test'), { deadlineMs: 30_000 })
  const services = await here.services()
  await here.join('home')
  const { tunnel } = await here.publish('home', String(services.http), '--name', 'blog')
  t.match(tunnel.public, 'https://blog.tunnel.test:', 'at once: the wildcard is there')
  const peer = await shown(here, 'blog.tunnel.test', pebble.root)
  t.same(peer.subjectaltname?.split(', ').toSorted(), ['DNS:*.tunnel.test', 'DNS:tunnel.test'])
  t.equal(pebble.said(/Added order/), 1)
})

t.test('handshakes with made-up names order nothing and slow nobody', { skip }, async (t) => {
  const limits = 'limits: { perAddress: { connections: 20000, newPerSecond: 100000, burst: 100000 } }'
  const { pebble, here } = await scene(t, { rest: [limits] })
  await here.edge.untilLogged(isIssued('tunnel.test'), { deadlineMs: 30_000 })
  const orders = pebble.said(/Added order/)
  const visit = async (): Promise<number> => {
    const since = performance.now()
    await shown(here, 'tunnel.test', pebble.root)
    return performance.now() - since
  }
  const calm = await times(20, visit)
  const busy: number[] = []
  const seen = { left: LONG ? 10_000 : 1000 }
  const strangers = Array.from({ length: 8 }, async () => {
    for (; seen.left > 0; seen.left--) {
      const name = `${randomBytes(8).toString('hex')}.${seen.left % 2 === 0 ? 'tunnel.test' : 'example.org'}`
      // oxlint-disable-next-line no-await-in-loop -- eight at a time
      await t.rejects(shown(here, name, pebble.root))
    }
  })
  // oxlint-disable-next-line no-await-in-loop -- one good visitor beside them
  while (seen.left > 0) busy.push(await visit())
  await Promise.all(strangers)
  t.equal(pebble.said(/Added order/), orders)
  t.comment(
    `a good visitor's handshake: ${median(calm)} ms alone, ${median(busy)} ms beside ${LONG ? '10,000' : '1,000'}`,
  )
  t.ok(median(busy) < 2000)
})

if (LONG) {
  t.test('renewal under load, by the CA itself: certificates of 30 s', { skip }, async (t) => {
    const { pebble, here } = await scene(t, { validS: 30 })
    await here.edge.untilLogged(isIssued('tunnel.test'), { deadlineMs: 30_000 })
    const seen = new Set<string>()
    let handshakes = 0
    // A third of a life is left when it is renewed: three lives show two renewals.
    for (const until = performance.now() + 50_000; performance.now() < until; handshakes++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      seen.add((await shown(here, 'tunnel.test', pebble.root)).serialNumber)
    }
    t.ok(seen.size >= 3, `${handshakes} handshakes, ${seen.size} certificates, none failed`)
  })
}

async function times(count: number, work: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  while (all.length < count) all.push(await work())
  return all
}

function median(values: readonly number[]): number {
  return Math.round((values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0) * 10) / 10
}
