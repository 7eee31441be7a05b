import { BlockList } from 'node:net'
import { endpoint } from '@engawa/shared/wire/opening'
import t from 'tap'
import { dropsCookie } from '../../src/forward/cookies.ts'
import { answerFields, requestFields, type Sender, trailerFields } from '../../src/forward/headers.ts'
import { blockListOf } from '../../src/guard/door.ts'

const sender: Sender = { peer: endpoint('203.0.113.9', 5000), secure: true, trusted: new BlockList() }
const OURS = [
  ['Via', '1.1 engawa'],
  ['X-Forwarded-For', '203.0.113.9'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'blog.example.com'],
  ['Forwarded', 'for=203.0.113.9;host=blog.example.com;proto=https'],
  ['X-Real-IP', '203.0.113.9'],
]

function pairs(fields: readonly string[]): string[][] {
  return Array.from({ length: fields.length / 2 }, (_, index) => fields.slice(2 * index, 2 * index + 2))
}

function sent(fields: string[], from: Sender = sender): string[][] {
  return pairs(requestFields(['Host', 'blog.example.com', ...fields], from, { method: 'GET', version: '1.1' }))
}

/** Without Host and without what the edge says. */
function fields(method: string, raw: string[]): string[][] {
  return pairs(requestFields(['Host', 'a', ...raw], sender, { method, version: '1.1' })).slice(1, -6)
}

function forwarded(address: string, host = 'a'): string | undefined {
  const from = { ...sender, peer: endpoint(address, 1) }
  return pairs(requestFields(['Host', host], from, { method: 'GET', version: '1.1' })).find(
    ([name]) => name === 'Forwarded',
  )?.[1]
}

t.test('a visitor can neither set, strip, alias nor double what the edge says', async (t) => {
  for (const name of [
    'X-Forwarded-For',
    'x-forwarded-for',
    'X-FORWARDED-FOR',
    'X_Forwarded_For',
    'x-Forwarded_Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Forwarded-Server',
    'X-Forwarded',
    'Forwarded',
    'FORWARDED',
    'X-Real-IP',
    'x_real_ip',
    'X-Real_Ip',
    'Proxy',
  ]) {
    t.strictSame(sent([name, '6.6.6.6', name, '7.7.7.7']), [['Host', 'blog.example.com'], ...OURS], name)
    t.strictSame(
      sent(['Connection', `close, ${name}`, name, '6.6.6.6']),
      [['Host', 'blog.example.com'], ...OURS],
      `Connection: ${name}`,
    )
  }
})

t.test('fields of one hop and those named in Connection go, framing and Host stay', async (t) => {
  const raw = [
    'Connection',
    'X-Private, host, content-length',
    'X-Private',
    '1',
    'Keep-Alive',
    'timeout=5',
    'TE',
    'trailers',
    'Upgrade',
    'h2c',
    'HTTP2-Settings',
    'AAMAAABk',
    'Proxy-Authorization',
    'Basic x',
    'Proxy-Connection',
    'keep-alive',
    'Content-Length',
    '3',
    'Cookie',
    'a=1',
    'Cookie',
    'b=2',
  ]
  t.strictSame(sent(raw), [
    ['Host', 'blog.example.com'],
    ['Content-Length', '3'],
    ['Cookie', 'a=1'],
    ['Cookie', 'b=2'],
    ...OURS,
  ])
})

t.test('framing is said once, and a POST without any has none', async (t) => {
  t.strictSame(fields('POST', ['Transfer-Encoding', 'Chunked']), [['Transfer-Encoding', 'chunked']])
  t.strictSame(fields('POST', []), [['Content-Length', '0']])
  t.strictSame(fields('GET', []), [])
})

t.test('a trusted proxy is believed, others in its chain are not', async (t) => {
  const from = { ...sender, secure: false, trusted: blockListOf(['203.0.113.0/24', '2001:db8::/32']) }
  const said = [
    'X-Forwarded-For',
    '6.6.6.6, 198.51.100.1, bogus, 203.0.113.4',
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    'www.example.org',
  ]
  t.strictSame(sent(said, from).slice(2), [
    ['X-Forwarded-For', '6.6.6.6, 198.51.100.1, 203.0.113.4, 203.0.113.9'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', 'www.example.org'],
    [
      'Forwarded',
      'for=6.6.6.6;host=www.example.org;proto=https, for=198.51.100.1, for=203.0.113.4, for=203.0.113.9;host=blog.example.com;proto=http',
    ],
    ['X-Real-IP', '198.51.100.1'],
  ])
})

t.test('IPv6 stands in brackets and quotes in Forwarded, IPv4-mapped is IPv4', async (t) => {
  t.equal(forwarded('2001:DB8::1'), 'for="[2001:db8::1]";host=a;proto=https')
  t.equal(forwarded('::ffff:192.0.2.1', 'a:8080'), 'for=192.0.2.1;host="a:8080";proto=https')
})

t.test("answers lose hop-by-hop fields, foreign error codes and cookies for the edge's domain", async (t) => {
  const raw = [
    'Connection',
    'X-Hop, Set-Cookie',
    'X-Hop',
    '1',
    'Keep-Alive',
    'timeout=5',
    'Transfer-Encoding',
    'chunked',
    'Engawa-Error',
    'HOST_UNKNOWN',
    'Set-Cookie',
    'a=1; Domain=.Example.com',
    'Set-Cookie',
    'b=2; domain=com',
    'Set-Cookie',
    'c=3; Domain=blog.example.com',
    'Set-Cookie',
    'd=4',
    'Trailer',
    'X',
  ]
  const passed = answerFields(raw, { status: 200, domain: 'example.com', trailers: false })
  t.strictSame(pairs(passed), [
    ['Set-Cookie', 'c=3; Domain=blog.example.com'],
    ['Set-Cookie', 'd=4'],
  ])
  t.strictSame(answerFields(['Content-Length', '5'], { status: 204, domain: 'a', trailers: true }), [])
  t.notOk(dropsCookie('a=1; Domain=localhost', 'localhost'))
  t.ok(dropsCookie('a=1; domain = example.com. ', 'example.com'))
})

t.test('trailers carry nothing that decides anything', async (t) => {
  const raw = [
    'X-Sum',
    '1',
    'Content-Length',
    '5',
    'Transfer-Encoding',
    'x',
    'Host',
    'a',
    'X-Forwarded-For',
    '1',
    'Authorization',
    'x',
    'X_Real_IP',
    '1',
  ]
  t.strictSame(trailerFields(raw), [['X-Sum', '1']])
})
