import { allowedAt, pauseAfter } from '@engawa/edge/tls/acme/pace'
import { covers, plan } from '@engawa/edge/tls/acme/plan'
import { type AcmeSettings, isPublicName, LETS_ENCRYPT, type TlsSettings } from '@engawa/edge/tls/settings'
import t from 'tap'

const acme: AcmeSettings = {
  email: undefined,
  directory: LETS_ENCRYPT,
  caFile: undefined,
  challenges: ['http-01'],
  dns: undefined,
}
const settings = (over: Partial<AcmeSettings> = {}, files: TlsSettings['files'] = []): TlsSettings => ({
  acme: { ...acme, ...over },
  files,
})
const dns = { hook: '/hook', cloudflare: undefined, waitMs: 0 }
const domain = 'veranda.jp'
const hosts = ['blog.veranda.jp', 'www.shop.jp', 'nas.local', '*.lab.veranda.jp']

t.test('one certificate a name; with DNS-01 one for all below the domain', async (t) => {
  t.same(plan({ settings: settings(), domain, hosts }), [
    ['veranda.jp'],
    ['blog.veranda.jp'],
    ['www.shop.jp'],
    ['*.lab.veranda.jp'],
  ])
  t.same(plan({ settings: settings({ dns }), domain, hosts }), [
    ['veranda.jp', '*.veranda.jp'],
    ['www.shop.jp'],
    ['*.lab.veranda.jp'],
  ])
})

t.test('nothing is ordered for what files are good for, nor for names that no public CA knows', async (t) => {
  const files = [{ name: '*.veranda.jp', cert: 'c', key: 'k' }]
  t.same(plan({ settings: settings({}, files), domain, hosts: ['blog.veranda.jp', 'a.localhost'] }), [['veranda.jp']])
  t.same(plan({ settings: { acme: undefined, files: [] }, domain, hosts }), [])
  const own = settings({ directory: 'https://ca.home/dir' })
  t.same(plan({ settings: own, domain: 'home.lan', hosts: ['a.localhost'] }), [['home.lan']])
})

t.test('public names', async (t) => {
  for (const name of ['veranda.jp', 'a.b.example.dev', '*.veranda.jp', 'localhost.jp']) t.ok(isPublicName(name), name)
  for (const name of ['localhost', 'a.localhost', 'nas.local', 'x.home.arpa', '192.0.2.1', 'example.com', 'intern'])
    t.notOk(isPublicName(name), name)
})

t.test('a wildcard is good for one label', async (t) => {
  t.ok(covers('*.veranda.jp', 'a.veranda.jp'))
  t.notOk(covers('*.veranda.jp', 'a.b.veranda.jp'))
  t.notOk(covers('*.veranda.jp', 'veranda.jp'))
})

t.test('at most 5 orders an hour for a name and 20 for all, whatever fails', async (t) => {
  const limits = { ordersPerHour: 20, ordersPerNamePerHour: 5 }
  const hour = 3_600_000
  const now = 10 * hour
  const made = (count: number, subject: string): { subject: string; at: number }[] =>
    Array.from({ length: count }, (_, index) => ({ subject, at: now - 1000 * (count - index) }))
  t.equal(allowedAt({ orders: made(4, 'a'), subject: 'a', now }, limits), now)
  t.equal(allowedAt({ orders: made(5, 'a'), subject: 'a', now }, limits), now - 5000 + hour)
  t.equal(allowedAt({ orders: made(19, 'a'), subject: 'b', now }, limits), now)
  t.equal(allowedAt({ orders: made(20, 'a'), subject: 'b', now }, limits), now - 20_000 + hour)
})

t.test('pauses grow from a minute to three hours, and follow the CA up to a day', async (t) => {
  t.same(
    [1, 2, 3, 20].map((failures) => pauseAfter(failures) / 60_000),
    [1, 2, 4, 180],
  )
  t.equal(pauseAfter(1, 7_200_000), 7_200_000)
  t.equal(pauseAfter(1, 1e12), 86_400_000)
})
