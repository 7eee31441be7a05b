import { createSecureContext } from 'node:tls'
import { issueLeaf, newKey } from '@engawa/edge/identity/authority'
import { Certificates } from '@engawa/edge/tls/certificates'
import { Contexts } from '@engawa/edge/tls/contexts'
import { PublicCertificates, readPair } from '@engawa/edge/tls/publics'
import t from 'tap'

const FROM = new Date('2026-01-01')
const TO = new Date('2036-01-01')
const authority = { key: newKey(), certificate: '', name: 'an authority' }
const leaf = issueLeaf(authority, { hosts: ['a.example.com'], from: FROM, to: TO })

t.test('256 contexts are kept, those that were shown last', async (t) => {
  const contexts = new Contexts()
  const pairs = Array.from({ length: 257 }, () => ({ ...leaf }))
  const [first = leaf, second = leaf, ...others] = pairs
  const context = contexts.of(first)
  t.type(context, createSecureContext().constructor)
  t.equal(contexts.of(first), context, 'made once')
  const another = contexts.of(second)
  for (const pair of others.slice(0, -1)) contexts.of(pair)
  t.equal(contexts.of(first), context, 'the 256th')
  contexts.of(others.at(-1) ?? leaf)
  t.equal(contexts.of(first), context)
  t.not(contexts.of(second), another, 'it was the one that was shown longest ago')
})

t.test('certificates of a CA for 1,000 names do not keep 1,000 contexts', async (t) => {
  const publics = new PublicCertificates(() => FROM.getTime())
  const hosts = Array.from({ length: 1000 }, (_, at) => `n${at}.example.com`)
  for (const host of hosts) publics.keep([host], readPair({ ...leaf, cert: leaf.cert }, true).pair)
  const table = { named: () => [{ hosts: [] }] } as unknown as ConstructorParameters<typeof Certificates>[0]['table']
  const issuer = { covers: () => true, issue: () => leaf }
  const certificates = new Certificates({ table, issuer, domain: 'example.com', bareHosts: [], publics })
  const shown = hosts.map((host) => certificates.contextFor(host))
  t.notOk(shown.includes(undefined))
  t.equal(certificates.contextFor('n999.example.com'), shown[999])
  t.not(certificates.contextFor('n0.example.com'), shown[0])
})
