import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { issueLeaf, type KeyAndChain, readAuthority } from '@engawa/edge/identity/authority'
import { openCarrierCa } from '@engawa/edge/identity/carrier-ca'
import { openVisitorsCa, visitorsRoot } from '@engawa/edge/identity/visitors-ca'
import t, { type Test } from 'tap'

/** What a TLS 1.3 client that trusts `ca` alone says about the server; undefined: it is content. */
async function complaint(t: Test, leaf: KeyAndChain, ca: string, servername: string): Promise<string | undefined> {
  const server = createServer({ ...leaf, minVersion: 'TLSv1.3' }, (socket) => socket.on('error', () => {}).end())
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const byName = /^[\d.]+$/.test(servername) ? {} : { servername }
  const socket = connect({ host: '127.0.0.1', port, ca, ...byName })
  return new Promise((resolve) => {
    socket.once('secureConnect', () => resolve(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'UNSPECIFIED' ? error.message : error.code),
    )
  }).finally(() => socket.destroy()) as Promise<string | undefined>
}

t.test('the carrier authority is made once, and kept', async (t) => {
  const folder = t.testdir({})
  const ca = openCarrierCa(folder)
  t.equal(statSync(join(folder, 'carrier-ca.pem')).mode & 0o777, 0o600)
  t.equal(ca.pin.length, 32)
  const again = openCarrierCa(folder)
  t.same(again.pin, ca.pin)
  t.equal(again.certificate, ca.certificate)
  t.not(again.leaf.cert, ca.leaf.cert, 'leaves are new at each start')
})

t.test('a carrier verifies as new. and as any generation [C1], from 1970 to 9999', async (t) => {
  const folder = t.testdir({ one: {}, two: {} })
  const ca = openCarrierCa(join(folder, 'one'))
  const root = new X509Certificate(ca.certificate)
  t.equal(root.validFromDate.getTime(), 0)
  t.equal(root.validToDate.getTime(), Date.parse('9999-12-31T23:59:59Z'))
  t.ok(root.ca)
  for (const host of ['new.carrier.engawa.internal', 'g7.carrier.engawa.internal']) {
    t.equal(await complaint(t, ca.leaf, ca.certificate, host), undefined)
  }
  t.equal(await complaint(t, ca.leaf, ca.certificate, 'example.com'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  const other = openCarrierCa(join(folder, 'two'))
  t.equal(await complaint(t, ca.leaf, other.certificate, 'new.carrier.engawa.internal'), 'SELF_SIGNED_CERT_IN_CHAIN')
})

t.test('a carrier authority that is damaged is told, and never made anew', async (t) => {
  const folder = t.testdir({})
  openCarrierCa(folder)
  const path = join(folder, 'carrier-ca.pem')
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, 300))
  t.throws(() => openCarrierCa(folder), { code: 'STATE_BROKEN', message: /carrier-ca\.pem/, ja: /バックアップ/ })
})

t.test('the visitors’ authority speaks for the edge’s names and addresses', async (t) => {
  const folder = t.testdir({})
  t.equal(visitorsRoot(folder), undefined)
  const scope = { domain: 'localhost', addresses: ['127.0.0.1', '2001:db8::5'] }
  const ca = openVisitorsCa(folder, scope, new Date())
  t.equal(visitorsRoot(folder), ca.certificate)
  t.notOk(ca.renewed)
  const covered = ['localhost', 'blog.localhost', '127.0.0.1', '2001:db8::5']
  for (const host of covered) t.ok(ca.covers(host), host)
  for (const host of ['example.com', 'xlocalhost', '127.0.0.2', '::1']) t.notOk(ca.covers(host), host)
  const leaf = ca.issue(covered, new Date())
  for (const host of covered.slice(0, 3)) t.equal(await complaint(t, leaf, ca.certificate, host), undefined, host)
  const { validFromDate, validToDate, subjectAltName } = new X509Certificate(leaf.cert)
  t.ok(validToDate.getTime() - validFromDate.getTime() <= 825 * 86_400_000)
  t.match(subjectAltName, /DNS:blog\.localhost.*IP Address:2001:DB8:0:0:0:0:0:5/)
  t.throws(() => ca.issue(['example.com'], new Date()), RangeError)
})

t.test('its key cannot be used against other sites', async (t) => {
  const folder = t.testdir({})
  const ca = openVisitorsCa(folder, { domain: 'example.com', addresses: [] }, new Date())
  // The thief has the folder, and signs with the key itself.
  const path = join(folder, 'visitors-ca.pem')
  const pem = readFileSync(path, 'utf8')
  const thief = readAuthority(path, pem)
  const from = new Date(Date.now() - 1000)
  const forge = (host: string): KeyAndChain => issueLeaf(thief, { hosts: [host], from, to: new Date(Date.now() + 1e8) })
  t.equal(await complaint(t, forge('www.example.com'), ca.certificate, 'www.example.com'), undefined)
  t.equal(await complaint(t, forge('bank.jp'), ca.certificate, 'bank.jp'), 'permitted subtree violation')
  t.match(await complaint(t, forge('127.0.0.1'), ca.certificate, '127.0.0.1'), /subtree violation/)
})

t.test('it is kept while it covers what is asked, else made anew and said', async (t) => {
  const folder = t.testdir({})
  const now = new Date('2026-01-01T00:00:00Z')
  const first = openVisitorsCa(folder, { domain: 'a.jp', addresses: ['192.0.2.1', '192.0.2.2'] }, now)
  const kept = openVisitorsCa(folder, { domain: 'a.jp', addresses: ['192.0.2.1'] }, now)
  t.equal(kept.certificate, first.certificate)
  t.notOk(kept.renewed)
  t.ok(openVisitorsCa(folder, { domain: 'b.jp', addresses: [] }, now).renewed)
  t.ok(openVisitorsCa(folder, { domain: 'b.jp', addresses: ['192.0.2.9'] }, now).renewed)
  t.ok(openVisitorsCa(folder, { domain: 'b.jp', addresses: [] }, new Date('2035-06-01T00:00:00Z')).renewed)
})

const { error: noOpenssl } = spawnSync('openssl', ['version'])
t.test('openssl agrees on the form', { skip: noOpenssl ? 'there is no openssl here' : false }, async (t) => {
  const ca = openVisitorsCa(t.testdir({}), { domain: 'example.com', addresses: ['192.0.2.1'] }, new Date())
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: ca.certificate, encoding: 'utf8' })
  t.match(text, /Name Constraints: critical\s+Permitted:\s+DNS:example\.com\s+IP:192\.0\.2\.1\/255\.255\.255\.255/)
  t.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
})
