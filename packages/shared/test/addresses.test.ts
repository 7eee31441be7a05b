import { familyOf, formatAddress, parseAddress, parsePublicHost } from '@engawa/shared/addresses'
import fc from 'fast-check'
import t from 'tap'

const right: [text: string, host: string, port: number][] = [
  [':80', '', 80],
  [':0', '', 0],
  ['127.0.0.1:8080', '127.0.0.1', 8080],
  ['localhost:1', 'localhost', 1],
  ['[::]:443', '::', 443],
  ['[2001:DB8:0:0::1]:443', '2001:db8::1', 443],
  ['[::ffff:203.0.113.5]:443', '203.0.113.5', 443],
  ['Edge.Example.COM.:443', 'edge.example.com', 443],
]
for (const [text, host, port] of right) {
  t.test(`${text} is host ${host || '(all)'}, port ${port}`, async (t) => {
    t.same(parseAddress(text), { host, port })
  })
}

const wrong = [
  '',
  '80',
  ':',
  'host',
  'host:',
  'host:65536',
  'host:-1',
  'host:http',
  '::1:80',
  '2001:db8::1',
  '[::1]',
  '[127.0.0.1]:80',
  '[::1:80',
  '[nonsense]:80',
  'a b:80',
  'http://host:80',
  '1.2.3:80',
  '256.1.1.1:80',
  '-a:80',
]
for (const text of wrong) {
  t.test(`${JSON.stringify(text)} is no address`, async (t) => {
    t.throws(() => parseAddress(text), { code: 'ADDRESS_INVALID', message: /write HOST:PORT/, ja: /HOST:PORT/ })
  })
}

t.test('what agents dial may leave its port out', async (t) => {
  t.same(parsePublicHost('edge.example.com'), { host: 'edge.example.com', port: undefined })
  t.same(parsePublicHost('2001:db8::1'), { host: '2001:db8::1', port: undefined })
  t.same(parsePublicHost('[2001:db8::1]'), { host: '2001:db8::1', port: undefined })
  t.same(parsePublicHost('[2001:db8::1]:7443'), { host: '2001:db8::1', port: 7443 })
  t.same(parsePublicHost('203.0.113.5:7443'), { host: '203.0.113.5', port: 7443 })
  for (const text of ['', ':443', 'host:0', 'a/b']) t.throws(() => parsePublicHost(text), { code: 'ADDRESS_INVALID' })
})

t.test('an address survives being written and read', async () => {
  const host = fc.oneof(fc.ipV4(), fc.constant(''), fc.constant('edge.example.com'), fc.constant('2001:db8::7'))
  fc.assert(
    fc.property(host, fc.nat(65_535), (host, port) => {
      const again = parseAddress(formatAddress({ host, port }))
      return again.host === host && again.port === port
    }),
  )
})

t.test('families', async (t) => {
  t.same(['1.2.3.4', '::1', 'localhost', '1'].map(familyOf), [4, 6, 0, 0])
})
