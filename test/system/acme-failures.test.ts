import { createPrivateKey, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { Random } from '../../packages/shared/test/support/random.ts'
import { DIALLED, isIssued, PATIENCE, withoutCa as skip } from '../support/acme.ts'
import { run } from '../support/command.ts'
import { limitedCa } from '../support/limited-ca.ts'
import { Pebble } from '../support/pebble.ts'
import { familyOf } from '../support/process.ts'
import { Shim } from '../support/shim.ts'
import { LONG } from '../support/tools.ts'
import { World, world } from '../support/world.ts'

function openStore(here: World): DatabaseSync {
  return new DatabaseSync(join(here.edgeData, 'edge.db'), { readOnly: true })
}

/** Accounts at the CA, by its own count. */
const accounts = (pebble: Pebble): number => pebble.said(/Created new account|There are now \d+ accounts in memory/)

const SEED = 20_261_122
/** How far an order has come, by what the store had of it when the edge was killed. */
const STAGES = ['nothing', 'the account’s key', 'the account', 'the order', 'the certificate'] as const

interface Stored {
  readonly account: { readonly key: string; readonly url: string | null } | undefined
  readonly pending: { readonly url: string; readonly key: string } | undefined
  readonly issued: { readonly key: string; readonly chain: string } | undefined
}

t.test('kill -9 in the middle of an order: no second account, no lost key', { skip }, async (t) => {
  const pebble = await Pebble.open(t)
  // The way to the CA, which counts how much of an order is over.
  const way = await Shim.open()
  t.teardown(() => way.close())
  way.lead(new URL(pebble.directory).host)
  const config = pebble.config([], [], `https://127.0.0.1:${way.port}/dir`)
  const order = { pebble, way, config }
  const whole = await killed(t, { ...order, offset: Number.MAX_SAFE_INTEGER })
  const kills = LONG ? 24 : 1
  const random = new Random(SEED)
  const tally = new Map<string, number>()
  let again = 0
  for (let index = 0; index < kills; index++) {
    const offset = Math.round((whole.bytes * (index + random.below(100) / 100)) / kills)
    // oxlint-disable-next-line no-await-in-loop -- one order at a time
    const { stage, anew } = await killed(t, { ...order, offset })
    if (anew) again++
    tally.set(stage, (tally.get(stage) ?? 0) + 1)
  }
  const stages = [...tally].map(([stage, count]) => `${count} with ${stage}`).join(', ')
  t.comment(
    `${kills} kills within the ${whole.bytes} bytes of an order (seed ${SEED}), stored then: ${stages}; ${again} orders made anew`,
  )
})

/** Kills an edge, front and all, when so many bytes have gone to the CA and back; the next start has to bring the order to its end. */
async function killed(
  t: Test,
  { pebble, way, config, offset }: { pebble: Pebble; way: Shim; config: string; offset: number },
): Promise<{ bytes: number; stage: string; anew: boolean }> {
  const [bytes, known, orders] = [way.up + way.down, accounts(pebble), pebble.said(/Added order/)]
  const here = await World.open({ domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', config] })
  try {
    pebble.lead(here)
    const isDone = (): boolean => here.edge.log.some((line) => line.includes('certificate issued'))
    // oxlint-disable-next-line no-await-in-loop -- as soon as that much has gone over
    while (way.up + way.down - bytes < offset && !isDone()) await setTimeout(1)
    for (const pid of familyOf(here.edge.pid)) process.kill(pid, 'SIGKILL')
    await here.edge.exited
    const spent = way.up + way.down - bytes
    if (offset === Number.MAX_SAFE_INTEGER) unhear(here)
    const before = readStored(here)
    await here.startEdge()
    const { account, issued } = await untilIssued(here)
    t.equal(new X509Certificate(issued.chain).checkPrivateKey(createPrivateKey(issued.key)), true)
    t.equal(accounts(pebble) - known, 1, `one account, killed after ${spent} bytes`)
    if (before.account !== undefined) t.equal(account?.key, before.account.key, 'with the key that was kept')
    if (before.account?.url) t.equal(account?.url, before.account.url)
    const kept = before.issued ?? before.pending
    const anew = pebble.said(/Added order/) - orders > 1
    // The CA may have looked while nobody answered: then that order is over.
    if (kept !== undefined) t.ok(issued.key === kept.key || anew, 'the certificate has the key that was kept')
    for (const name of ['edge.db', 'edge.db-wal'])
      t.equal(statSync(join(here.edgeData, name)).mode & 0o777, 0o600, name)
    return { bytes: spent, stage: stageOf(before), anew }
  } finally {
    await here.close()
  }
}

/** Leaves what a kill right between the CA's answer and its being written leaves: a key that the CA knows, and no account. */
function unhear(here: World): void {
  const store = new DatabaseSync(join(here.edgeData, 'edge.db'))
  store.exec('UPDATE acme_accounts SET url = NULL; DELETE FROM certificates')
  store.close()
}

function stageOf({ account, pending, issued }: Stored): string {
  const reached = [account, account?.url, pending ?? issued, issued].filter(Boolean).length
  return STAGES[reached] ?? ''
}

/** What a column holds as JSON. */
function parsed(text: unknown): never {
  return (typeof text === 'string' ? JSON.parse(text) : undefined) as never
}

function readStored(here: World): Stored {
  const store = openStore(here)
  const row = store.prepare('SELECT pending, issued FROM certificates').get()
  const account = store.prepare('SELECT key, url FROM acme_accounts').get()
  store.close()
  return { account: account as Stored['account'], pending: parsed(row?.['pending']), issued: parsed(row?.['issued']) }
}

async function untilIssued(here: World): Promise<Stored & { issued: NonNullable<Stored['issued']> }> {
  const deadline = performance.now() + PATIENCE.deadlineMs
  for (;;) {
    const { account, pending, issued } = readStored(here)
    if (issued !== undefined) return { account, pending, issued }
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
  await here.edge.untilLogged(/"names":\["tunnel\.test"\].*no certificate yet/, PATIENCE)
  const services = await here.services()
  await here.join('home')
  pebble.lead(here)
  await here.publish('home', String(services.http), '--name', 'nowhere')
  await here.edge.untilLogged(/"names":\["nowhere\.tunnel\.test"\].*no certificate yet/, PATIENCE)
  await here.publish('home', String(services.http), '--name', 'blog')
  await here.edge.untilLogged(/"names":\["blog\.tunnel\.test"\].*certificate issued/, PATIENCE)
  await pebble.stop()
  const { certificate } = JSON.parse((await here.edgeDo('ca', '--json')).stdout) as { certificate: string }
  await here.publish('home', String(services.http), '--name', 'late')
  await here.edge.untilLogged(/"names":\["late\.tunnel\.test"\].*no certificate yet/, PATIENCE)
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

t.test('a name that leads to another server, and a CA that issues no more', { skip }, async (t) => {
  const pebble = await Pebble.open(t)
  const ca = await limitedCa(t, pebble)
  const other = createServer((_, response) => response.writeHead(404).end('another site'))
  await new Promise<void>((resolve) => other.listen(pebble.http.port, '127.0.0.2', resolve))
  t.teardown(() => other.close())
  await pebble.tellDns('/add-a', { host: 'astray.tunnel.test', addresses: ['127.0.0.2'] })
  const config = pebble.config([], [], ca.directory)
  const here = await world(t, { domain: 'tunnel.test', edgeFlags: [...DIALLED, '--config', config] })
  pebble.lead(here)
  const services = await here.services()
  await here.join('home')
  await here.publish('home', String(services.http), '--name', 'astray')
  await here.edge.untilLogged(isIssued('tunnel.test'), PATIENCE)
  await here.edge.untilLogged(/"names":\["astray\.tunnel\.test"\].*no certificate yet/, PATIENCE)
  ca.retryAfterS = 3600
  await here.publish('home', String(services.http), '--name', 'late')
  await here.edge.untilLogged(/"names":\["late\.tunnel\.test"\].*no certificate yet/, PATIENCE)
  t.equal((await run(here.curl('late', '/'))).code, 0, 'visitors are served all the while')

  const { stdout } = await here.edgeDo('status')
  t.match(
    stdout,
    /astray\.tunnel\.test: another server answers the CA at port 80 of astray\.tunnel\.test: .+Its DNS must lead to this edge alone/,
  )
  t.match(
    stdout,
    /late\.tunnel\.test: the CA issues no more for now: too many certificates .+There is nothing to do but wait/,
  )
  const ja = await here.edgeDo('status', '--lang', 'ja')
  t.match(ja.stdout, /astray\.tunnel\.test のポート 80 で別のサーバーが認証局に応答しています/)
  t.match(ja.stdout, /認証局の発行数の上限に達しました: too many .+待つほかありません/)

  const nextTry = async (): Promise<string | undefined> => {
    const { certificates } = JSON.parse((await here.edgeDo('status', '--json')).stdout) as {
      certificates: { names: string[]; nextTry?: string }[]
    }
    return certificates.find(({ names }) => names[0] === 'late.tunnel.test')?.nextTry
  }
  const asked = await nextTry()
  const waits = Date.parse(asked ?? '') - Date.now()
  t.ok(waits > 3_000_000 && waits <= 3_600_000, `as long as the CA says: ${waits} ms`)
  await here.edge.kill()
  await here.startEdge()
  t.equal(await nextTry(), asked, 'also across a restart')
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
