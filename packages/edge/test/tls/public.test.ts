import { pbkdf2 } from 'node:crypto'
import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { openVisitorsCa } from '@engawa/edge/identity/visitors-ca'
import { startTls } from '@engawa/edge/listen/tls'
import { openStore } from '@engawa/edge/store/store'
import { Challenges } from '@engawa/edge/tls/acme/challenges'
import { Certificates } from '@engawa/edge/tls/certificates'
import { watchFiles } from '@engawa/edge/tls/files'
import { openPublicTls } from '@engawa/edge/tls/open'
import { PublicCertificates, readPair } from '@engawa/edge/tls/publics'
import { publicWeb } from '@engawa/edge/tls/web'
import t, { type Test } from 'tap'
import { makeAdmission, quiet } from '../support/edge.ts'
import { FakeTable, fakeTunnel } from '../support/fake-table.ts'

interface Scene {
  readonly port: number
  readonly publics: PublicCertificates
  readonly challenges: Challenges
  /** Of the CA that stands for a public one. */
  readonly root: string
  /** Of the edge's own. */
  readonly ownRoot: string
  readonly issue: (...names: string[]) => ReturnType<typeof readPair>['pair']
}

/** HTTPS for `blog.example.com`, beside a CA that stands for a public one. */
async function scene(t: Test): Promise<Scene> {
  const table = new FakeTable()
  table.tunnels.push(fakeTunnel({ name: 'blog' }), fakeTunnel({ name: 'shop' }))
  const folder = t.testdir({ other: {} })
  const scope = { domain: 'example.com', addresses: [] }
  const [own, other] = [folder, join(folder, 'other')].map((path) => openVisitorsCa(path, scope, new Date()))
  if (own === undefined || other === undefined) throw new Error('unreachable')
  const publics = new PublicCertificates(Date.now)
  const challenges = new Challenges((host) => publics.find(host) !== undefined)
  const certificates = new Certificates({ table, issuer: own, domain: 'example.com', bareHosts: [], publics })
  const admission = makeAdmission(table, {
    limits: { perAddress: { connections: 1e6, newPerSecond: 1e6, burst: 1e6 } },
  })
  const address = { host: '127.0.0.1', port: 0 }
  const tls = await startTls({ address, admission, certificates, challenges, onCarrier: (socket) => socket.destroy() })
  t.teardown(() => tls.close(0))
  const issue = (...names: string[]): ReturnType<typeof readPair>['pair'] =>
    readPair(other.issue(names, new Date()), true).pair
  return { port: tls.port, publics, challenges, root: other.certificate, ownRoot: own.certificate, issue }
}

/** The names of the certificate shown, if `ca` vouches for it. */
function shake(port: number, servername: string, ca: string, protocol = 'http/1.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, ca, ALPNProtocols: [protocol] }, () => {
      resolve(socket.getPeerCertificate().subjectaltname ?? '')
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

t.test('a certificate is replaced under load without a failed handshake', async (t) => {
  const { port, publics, root, issue } = await scene(t)
  publics.keep(['blog.example.com'], issue('blog.example.com'))
  const seen = { stop: false, good: 0 }
  let more = Promise.withResolvers<void>()
  const visitors = Array.from({ length: 8 }, async () => {
    while (!seen.stop) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.equal(await shake(port, 'blog.example.com', root), 'DNS:blog.example.com')
      seen.good++
      more.resolve()
    }
  })
  const load = Promise.all(visitors)
  for (let round = 0; round < 25; round++) {
    const wanted = seen.good + 8
    publics.keep(['blog.example.com'], issue('blog.example.com'))
    while (seen.good < wanted) {
      more = Promise.withResolvers()
      // oxlint-disable-next-line no-await-in-loop -- until some have met the new one
      await Promise.race([more.promise, load])
    }
  }
  seen.stop = true
  await load
  t.comment(`${seen.good} handshakes over 25 certificates, none failed`)
})

t.test('without a certificate of a CA, or past its end, the edge’s own authority serves', async (t) => {
  const { port, publics, root, ownRoot, issue } = await scene(t)
  t.equal(await shake(port, 'blog.example.com', ownRoot), 'DNS:blog.example.com')
  publics.keep(['*.example.com'], issue('*.example.com'))
  t.equal(await shake(port, 'blog.example.com', root), 'DNS:*.example.com')
  publics.keep(['*.example.com'], { ...issue('*.example.com'), until: Date.now() - 1 })
  t.equal(await shake(port, 'blog.example.com', ownRoot), 'DNS:blog.example.com')
})

t.test('TLS-ALPN-01 is answered with what the edge proves, and with nothing else', async (t) => {
  const { port, challenges, publics, issue } = await scene(t)
  publics.keep(['blog.example.com'], issue('blog.example.com'))
  await t.rejects(shake(port, 'blog.example.com', '', 'acme-tls/1'), { code: /ALERT_UNRECOGNIZED_NAME|UNRECOGNIZED/ })
  const withdraw = await challenges.tls.prove('blog.example.com', 'token', 'token.thumb')
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'blog.example.com',
    rejectUnauthorized: false,
    ALPNProtocols: ['acme-tls/1'],
  })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  t.equal(socket.alpnProtocol, 'acme-tls/1')
  t.equal(socket.getPeerCertificate().subjectaltname, 'DNS:blog.example.com')
  await new Promise((resolve) => socket.once('close', resolve).resume())
  await withdraw()
  await t.rejects(shake(port, 'blog.example.com', '', 'acme-tls/1'))
})

t.test('HTTP-01 is answered with what the edge proves, and with nothing where it keeps the certificate', async (t) => {
  const { challenges, publics, issue } = await scene(t)
  const path = '/.well-known/acme-challenge/token'
  t.equal(challenges.answer('blog.example.com', path), undefined, 'not the edge’s business: to the service')
  publics.keep(['blog.example.com'], issue('blog.example.com'))
  t.same(challenges.answer('blog.example.com', path), { text: undefined })
  t.equal(challenges.answer('blog.example.com', '/other'), undefined)
  const withdraw = await challenges.http.prove('blog.example.com', 'token', 'token.thumb')
  t.same(challenges.answer('blog.example.com', path), { text: 'token.thumb' })
  t.equal(challenges.answer('shop.example.com', path), undefined)
  await withdraw()
  t.same(challenges.answer('blog.example.com', path), { text: undefined })
})

t.test('a passed-through name is its agent’s: a wildcard changes nothing for it', async (t) => {
  const { issue } = await scene(t)
  const folder = t.testdir()
  const { key, cert } = issue('*.example.com')
  writeFileSync(join(folder, 'key.pem'), key)
  writeFileSync(join(folder, 'cert.pem'), cert)
  const files = [{ name: '*.example.com', cert: 'cert.pem', key: 'key.pem' }]
  const store = openStore(join(folder, 'edge.db'))
  t.teardown(() => store.close())
  const opened = openPublicTls({
    settings: {
      tls: { acme: undefined, files },
      domain: 'example.com',
      limits: { certificates: { ordersPerHour: 1, ordersPerNamePerHour: 1 } },
    },
    folder,
    store,
    tunnels: () => [],
    isPassed: (host) => host === 'nas.example.com',
    log: quiet,
    changed: () => {},
  })
  t.teardown(() => opened.close())
  const path = '/.well-known/acme-challenge/token'
  t.same(opened.challenges.answer('blog.example.com', path), { text: undefined })
  t.equal(opened.challenges.answer('nas.example.com', path), undefined)
  const web = publicWeb(opened, { httpsRedirect: true, hstsMs: 1000 }, () => 443)
  t.equal(web.secureUrl('blog.example.com', path), `https://blog.example.com${path}`)
  t.equal(web.secureUrl('nas.example.com', path), undefined)
})

t.test('files are taken, taken anew when they change, and kept when they become wrong', async (t) => {
  const { port, publics, root, issue } = await scene(t)
  const folder = t.testdir()
  const file = { name: '*.example.com', cert: 'cert.pem', key: 'key.pem' }
  const write = ({ key, cert }: { key: string; cert: string }): void => {
    writeFileSync(join(folder, 'key.pem'), key)
    writeFileSync(join(folder, 'cert.pem'), cert)
  }
  let changed = Promise.withResolvers<void>()
  const options = { folder, publics, log: quiet, changed: () => changed.resolve() }
  t.throws(() => watchFiles([file], options), { code: 'CONFIG_INVALID' })
  symlinkSync('cert.pem', join(folder, 'cert.pem'))
  t.throws(() => watchFiles([file], options), {
    code: 'CONFIG_INVALID',
    message: /^tls\.files \*\.example\.com: ELOOP/,
  })
  unlinkSync(join(folder, 'cert.pem'))
  write(issue('other.example.com'))
  t.throws(() => watchFiles([file], options), { code: 'CONFIG_INVALID', message: /is not for \*\.example\.com/ })
  write({ ...issue('*.example.com'), key: issue('*.example.com').key })
  t.throws(() => watchFiles([file], options), { code: 'CONFIG_INVALID', message: /is not the key of/ })
  write(issue('*.example.com'))
  const { states, close } = watchFiles([file], options)
  t.teardown(close)
  const first = publics.find('blog.example.com')
  t.equal(await shake(port, 'blog.example.com', root), 'DNS:*.example.com')
  const next = issue('*.example.com')
  changed = Promise.withResolvers()
  write(next)
  while (publics.find('blog.example.com')?.cert !== next.cert) {
    // oxlint-disable-next-line no-await-in-loop -- the first of two changes may be seen before the second
    await changed.promise
    if (publics.find('blog.example.com')?.cert !== next.cert) changed = Promise.withResolvers()
  }
  t.not(publics.find('blog.example.com'), first)
  t.equal(states[0]?.problem, undefined)
})

t.test('files that change right after they were read are taken anew', async (t) => {
  const { publics, issue } = await scene(t)
  const folder = t.testdir()
  const write = ({ key, cert }: { key: string; cert: string }): void => {
    writeFileSync(join(folder, 'key.pem'), key)
    writeFileSync(join(folder, 'cert.pem'), cert)
  }
  write(issue('*.example.com'))
  const next = issue('*.example.com')
  const { promise, resolve } = Promise.withResolvers<void>()
  const file = { name: '*.example.com', cert: 'cert.pem', key: 'key.pem' }
  // Whatever Node would look up beside its loop comes late now.
  const busy = Array.from({ length: 8 }, () => promisify(pbkdf2)('password', 'salt', 200_000, 64, 'sha512'))
  t.teardown(watchFiles([file], { folder, publics, log: quiet, changed: resolve }).close)
  // Of another length: some kernels tell the time of a change by 4 ms, and the first were written as lately as that.
  write({ ...next, key: `${next.key}\n` })
  await Promise.all([promise, ...busy])
  t.equal(publics.find('blog.example.com')?.cert, next.cert)
})
