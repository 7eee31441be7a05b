import t from 'tap'
import type { AccessEntry } from '../../src/access/entry.ts'
import { accessLine, withoutSecrets } from '../../src/access/format.ts'

const entry: AccessEntry = {
  at: Date.UTC(2026, 10, 2, 3, 4, 5, 678),
  visitor: '203.0.113.9',
  host: 'blog.example.com',
  method: 'GET',
  target: '/search?q=word&token=s3cret',
  version: '1.1',
  secure: true,
  status: 200,
  received: 0,
  sent: 1234,
  firstByteMs: 5,
  ms: 17,
  by: 'service',
  tunnel: 'blog',
  agent: 'home',
  code: undefined,
  referrer: 'https://user:pw@other.example/a?session=1#x',
  userAgent: 'curl/8',
}

t.test('a JSON line says all of a request, and what is not there has no key', async (t) => {
  const line = accessLine(entry, 'json')
  t.ok(line.endsWith('}\n'))
  t.strictSame(JSON.parse(line), {
    time: '2026-11-02T03:04:05.678Z',
    visitor: '203.0.113.9',
    host: 'blog.example.com',
    method: 'GET',
    path: '/search?q&token',
    version: '1.1',
    secure: true,
    status: 200,
    received: 0,
    sent: 1234,
    firstByteMs: 5,
    ms: 17,
    by: 'service',
    tunnel: 'blog',
    agent: 'home',
    referrer: 'https://other.example/a?session',
    userAgent: 'curl/8',
  })
})

t.test('the combined line is that of Apache and nginx', async (t) => {
  t.equal(
    accessLine(entry, 'combined'),
    '203.0.113.9 - - [02/Nov/2026:03:04:05 +0000] "GET /search?q&token HTTP/1.1" 200 1234 "https://other.example/a?session" "curl/8"\n',
  )
  const unread = {
    ...entry,
    method: '',
    target: '',
    version: '',
    referrer: undefined,
    userAgent: undefined,
    status: 400,
  }
  t.match(accessLine(unread, 'combined'), / "-" 400 1234 "-" "-"\n$/)
})

t.test('no visitor can end a line, a string or drive a terminal', async (t) => {
  const evil = { ...entry, userAgent: 'a"\\\r\n\u001b[2J\u0085\u202e日', target: '/a"b' }
  const combined = accessLine(evil, 'combined')
  t.equal(combined.split('\n').length, 2)
  t.match(combined, /"GET \/a\\x22b HTTP\/1\.1"/)
  t.ok(combined.endsWith('"a\\x22\\x5C\\x0D\\x0A\\x1B[2J\\xC2\\x85\\xE2\\x80\\xAE\\xE6\\x97\\xA5"\n'))
  const json = accessLine(evil, 'json')
  t.equal(json.split('\n').length, 2)
  t.notMatch(json.trimEnd(), /[\p{Cc}\u202e]/u)
  t.equal((JSON.parse(json) as { userAgent: string }).userAgent, evil.userAgent)
})

t.test('what a request may carry in secret is not kept', async (t) => {
  for (const [target, kept] of [
    ['/a', '/a'],
    ['/a?', '/a?'],
    ['/a?b=c', '/a?b'],
    ['/a?b=c&d&e=', '/a?b&d&e'],
    ['/a?b=c=d', '/a?b'],
    [`/a?${'x'.repeat(40)}`, '/a?'],
    ['/a?b=c?d=e', '/a?b'],
    ['https://x.example/p?t=1', 'https://x.example/p?t'],
    ['https://u:p@x.example/p#t', 'https://x.example/p'],
  ] as const) {
    t.equal(withoutSecrets(target), kept, target)
  }
  t.equal(withoutSecrets(`/${'a'.repeat(9000)}`).length, 2048)
})
