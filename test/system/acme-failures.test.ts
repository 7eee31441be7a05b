import { createPrivateKey, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { run } from '../support/command.ts'
import { Pebble } from '../support/pebble.ts'
import { Shim } from '../support/shim.ts'
import { LONG, without } from '../support/tools.ts'
import { World, world } from '../support/world.ts'

const skip = without('pebble', 'pebble-challtestsrv', 'curl')
const DIALLED = ['--public-host', '127.0.0.1']

function openStore(here: World): DatabaseSync {
  return new DatabaseSync(join(here.edgeData, 'edge.db'), { readOnly: true })
}

/** Accounts at the CA, by its own count. */
const accounts = (pebble: Pebble): number => pebble.said(/Created new account|There are now \d+ accounts in memory/)

t.test('kill -9 in the middle of an order: no second account, no lost key', { skip }, async (t) => {
  const pebble = await Pebble.open(t)
  // The way to the CA, on which an order can be held up anywhere.
  const way = await Shim.open()
  t.teardown(() => way.close())
  way.lead(new URL(pebble.directory).host)
  const config = pebble.config([], [], `https://127.0.0.1:${way.port}/dir`)
  const offsets = LONG ? Array.from({ length: 24 }, (_, index) => 2000 + index * 2000) : [14_000, 34_000]
  for (const offset of offsets) {
    // oxlint-disable-next-line no-await-in-loop -- one order at a time
    await killed(t, { pebble, way, config, offset })
  }
})

async function killed(
  t: Test,
  { pebble, way, config, offset }: { pebble: Pebble; way: Shim; config: string; offset: number },
): Promise<void> {
  const [bytes, known] = [way.up + way.down, accounts(pebble)]
  const here = await World.open({ domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', config] })
  try {
    pebble.lead(here)
    const isDone = (): boolean => here.edge.log.some((line) => line.includes('certificate issued'))
    // oxlint-disable-next-line no-await-in-loop -- as soon as that much has gone over
    while (way.up + way.down - bytes < offset && !isDone()) await setTimeout(2)
    way.pause()
    await here.edge.kill()
    way.restore()
    way.reset()
    const store = openStore(here)
    const pending = store.prepare('SELECT pending FROM certificates').get()?.['pending']
    store.close()
    await here.startEdge()
    const issued = await untilIssued(here)
    t.equal(new X509Certificate(issued.chain).checkPrivateKey(createPrivateKey(issued.key)), true)
    t.equal(accounts(pebble) - known, 1, `one account, killed after ${offset} bytes`)
    if (typeof pending === 'string') t.comment(`killed after ${offset} bytes: the order is taken up again`)
    for (const name of ['edge.db', 'edge.db-wal'])
      t.equal(statSync(join(here.edgeData, name)).mode & 0o777, 0o600, name)
  } finally {
    await here.close()
  }
}

async function untilIssued(here: World): Promise<{ key: string; chain: string }> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const store = openStore(here)
    const issued = store.prepare('SELECT issued FROM certificates').get()?.['issued']
    store.close()
    if (typeof issued === 'string') return JSON.parse(issued) as { key: string; chain: string }
    if (performance.now() > deadline) throw new Error(`no certificate\n${here.report()}`)
    // oxlint-disable-next-line no-await-in-loop -- the store tells nobody
    await setTimeout(100)
  }
}

t.test('a CA that fails stops nothing, and status says what helps', { skip }, async (t) => {
  const pebble = await Pebble.open(t)
  await pebble.tellDns('/set-servfail', { host: 'nowhere.tunnel.test' })
  const here = await world(t, { domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', pebble.config()] })
  // Port 80 of `tunnel.test` is closed: the shim leads nowhere.
  await here.edge.untilLogged(/"names":\["tunnel\.test"\].*no certificate yet/)
  const services = await here.services()
  await here.join('home')
  pebble.lead(here)
  await here.publish('home', String(services.http), '--name', 'nowhere')
  await here.edge.untilLogged(/"names":\["nowhere\.tunnel\.test"\].*no certificate yet/)
  await here.publish('home', String(services.http), '--name', 'blog')
  await here.edge.untilLogged(/"names":\["blog\.tunnel\.test"\].*certificate issued/)
  await pebble.stop()
  const { certificate } = JSON.parse((await here.edgeDo('ca', '--json')).stdout) as { certificate: string }
  await here.publish('home', String(services.http), '--name', 'late')
  await here.edge.untilLogged(/"names":\["late\.tunnel\.test"\].*no certificate yet/)
  t.equal(
    await handshake(here, 'late.tunnel.test', certificate),
    'late.tunnel.test',
    'the edge’s own CA serves meanwhile',
  )
  t.equal(await handshake(here, 'blog.tunnel.test', pebble.root), 'blog.tunnel.test', 'what was issued is shown on')
  t.equal((await run(here.curl('nowhere', '/'))).code, 0)
  const { code, stdout } = await here.edgeDo('status')
  t.equal(code, 0)
  t.match(stdout, /Certificates +1 of 4 issued/)
  t.match(stdout, /tunnel\.test: port 80 is not reachable from the CA: .+Open it for tunnel\.test in the firewall/)
  t.match(stdout, /nowhere\.tunnel\.test: the CA finds no address of nowhere\.tunnel\.test: .+Set an A or AAAA record/)
  t.match(stdout, /late\.tunnel\.test: the CA cannot be reached \(127\.0\.0\.1:\d+: .+ECONNREFUSED/)
  t.match(stdout, /tried again \d{4}-\d\d-\d\d \d\d:\d\d UTC/)
  const ja = await here.edgeDo('status', '--lang', 'ja')
  t.match(ja.stdout, /認証局から tunnel\.test のポート 80 に届きません/)
})

/** The name that the certificate shown is for. */
function handshake(here: World, servername: string, ca: string): Promise<string> {
  const [host = '', port] = here.https.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername, ca }, () => {
      resolve(socket.getPeerCertificate().subjectaltname?.replace('DNS:', '') ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })
}
