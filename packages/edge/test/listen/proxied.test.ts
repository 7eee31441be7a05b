import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { readProxyHeader } from '../../src/listen/proxied.ts'
import { collect, logged, smallEdge, talk, until } from '../support/edge.ts'
import { secureEdge } from '../support/secure-edge.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const V4 = Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 0xc3, 0x50, 0, 80])
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.alloc(16),
  Buffer.from([0, 1, 0, 2]),
])

function v2(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([0x20 | command, family, body.length >> 8, body.length & 255])
  return Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), head, body])
}

const line = (text: string): Buffer => Buffer.from(`PROXY ${text}\r\n`, 'latin1')
const FROM = {
  peer: { family: 4, address: '203.0.113.9', port: 50_000 },
  local: { family: 4, address: '192.0.2.1', port: 80 },
}

t.test('headers of both versions, in any pieces', async (t) => {
  for (const [bytes, proxied] of [
    [line('TCP4 203.0.113.9 192.0.2.1 50000 80'), FROM],
    [line('TCP6 2001:db8::1 ::1 1 2'), { peer: { family: 6, address: '2001:db8::1', port: 1 } }],
    [line('UNKNOWN'), 'own'],
    [line('UNKNOWN ffff::1 ffff::2 1 2'), 'own'],
    [v2(1, 0x11, V4), FROM],
    [v2(1, 0x11, Buffer.concat([V4, Buffer.from([4, 0, 1, 0])])), FROM],
    [v2(1, 0x21, V6), { peer: { family: 6, address: '2001:db8::1', port: 1 } }],
    [v2(0, 0x00, Buffer.alloc(0)), 'own'],
    [v2(0, 0x11, V4), 'own'],
    [v2(1, 0x31, Buffer.alloc(216)), 'own'],
  ] as const) {
    const name = JSON.stringify(bytes.toString('latin1'))
    for (let cut = 1; cut < bytes.length; cut++)
      t.equal(readProxyHeader(bytes.subarray(0, cut)), 'more', `${name} cut at ${cut}`)
    t.match(readProxyHeader(Buffer.concat([bytes, Buffer.from('GET')])), { proxied, bytes: bytes.length }, name)
  }
})

t.test('what is no such header', async (t) => {
  for (const text of [
    'GET / HTTP/1.1\r\n',
    'PRI * HTTP/2.0',
    '\x16\x03\x01',
    'PROXX',
    '\r\nGET',
    '\r\n\r\n\0\r\nQUIET',
  ])
    t.equal(readProxyHeader(Buffer.from(text, 'latin1')), 'none', text)
  for (const bytes of [
    line('TCP4 203.0.113.9 192.0.2.1 50000'),
    line('TCP4 203.0.113.9 192.0.2.1 50000 80 1'),
    line('TCP4 blog.example.com 192.0.2.1 50000 80'),
    line('TCP4 203.0.113.9 192.0.2.1 70000 80'),
    line('TCP4  203.0.113.9 192.0.2.1 1 80'),
    line('UDP4 203.0.113.9 192.0.2.1 1 80'),
    line('x'.repeat(200)),
    v2(2, 0x11, V4),
    v2(1, 0x41, V4),
    v2(1, 0x11, V4.subarray(1)),
    v2(1, 0x21, V4),
    v2(1, 0x11, Buffer.alloc(5000)),
    Buffer.from(`${SIGNATURE}\x11\x11\0\0`, 'latin1'),
  ])
    t.equal(readProxyHeader(bytes), 'invalid', JSON.stringify(bytes.toString('latin1').slice(0, 60)))
})

const ASK = 'GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n'
const limits = { perAddress: { connections: 2, newPerSecond: 100, burst: 100 } }

t.test('a trusted proxy says whom it speaks for, nobody else is believed', async (t) => {
  const trusting = await smallEdge(t, (request, response) => response.end(JSON.stringify(request.headers)), {
    trustedProxies: ['127.0.0.1'],
    limits,
  })
  const forged = `${ASK}X-Forwarded-For: 6.6.6.6\r\n\r\n`
  for (const header of [line('TCP4 203.0.113.9 192.0.2.1 50000 80'), v2(1, 0x11, V4)]) {
    const answer = await talk(trusting.port, Buffer.concat([header, Buffer.from(forged)]))
    t.match(answer, /"x-forwarded-for":"203\.0\.113\.9"[^]*"x-real-ip":"203\.0\.113\.9"/)
  }
  t.match(trusting.link.openings, [{ visitor: FROM.peer, public: FROM.local }, { visitor: FROM.peer }])
  await logged(trusting.entries, 2)
  t.match(trusting.entries, [{ visitor: '203.0.113.9' }, { visitor: '203.0.113.9' }])
  t.match(await talk(trusting.port, `${ASK}\r\n`), /"x-forwarded-for":"127\.0\.0\.1"/, 'without a header')
  t.match(await talk(trusting.port, Buffer.concat([line('UNKNOWN'), Buffer.from(`${ASK}\r\n`)])), /127\.0\.0\.1/)
  t.ok((await collectFrom(trusting.port, Buffer.concat([line('nonsense'), Buffer.from(`${ASK}\r\n`)]))).reset)
  const split = connect(trusting.port, '127.0.0.1')
  split.setNoDelay(true)
  for (const byte of Buffer.concat([v2(1, 0x11, V4), Buffer.from(`${ASK}\r\n`)])) {
    split.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  t.match((await collect(split)).text, /"x-real-ip":"203\.0\.113\.9"/, 'byte by byte')
  const { port } = await smallEdge(t, (_request, response) => response.end('ok'))
  t.match(
    await talk(port, Buffer.concat([line('TCP4 203.0.113.9 192.0.2.1 50000 80'), Buffer.from(`${ASK}\r\n`)])),
    /^HTTP\/1\.1 400/,
  )
})

async function collectFrom(port: number, bytes: Buffer): ReturnType<typeof collect> {
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  return await collect(socket)
}

t.test('limits count the visitor behind the proxy, and forget it when it leaves', async (t) => {
  const { port, admission } = await smallEdge(t, (_request, response) => response.end('ok'), {
    trustedProxies: ['127.0.0.1'],
    limits,
  })
  const come = async (address: string): Promise<ReturnType<typeof connect>> => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      Buffer.concat([
        line(`TCP4 ${address} 192.0.2.1 1 80`),
        Buffer.from('GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n'),
      ]),
    )
    return socket
  }
  const inside = [await come('203.0.113.9'), await come('203.0.113.9')]
  for (const socket of inside) await until(socket, (got) => got.includes('ok'))
  t.match((await collect(await come('203.0.113.9'))).text, /429/)
  t.match(await until(await come('203.0.113.10'), (got) => got.includes('ok')), /200/)
  const gone = once(inside[0] as ReturnType<typeof connect>, 'close')
  inside[0]?.destroy()
  await gone
  while (admission.door.total > 2) await new Promise(setImmediate)
  t.match(await until(await come('203.0.113.9'), (got) => got.includes('ok')), /200/)
})

t.test('the same before TLS, for both versions of HTTP', async (t) => {
  const { port, link, entries } = await secureEdge(t, (_request, response) => response.end('ok'), {}, ['127.0.0.1'])
  for (const protocol of ['http/1.1', 'h2']) {
    const wire = connect(port, '127.0.0.1')
    wire.write(v2(1, 0x11, V4))
    const socket = connectTls({
      socket: wire,
      servername: 'blog.example.com',
      rejectUnauthorized: false,
      ALPNProtocols: [protocol],
    })
    await once(socket, 'secureConnect')
    t.equal(socket.alpnProtocol, protocol)
    if (protocol === 'h2') {
      socket.destroy()
      continue
    }
    socket.write(`${ASK}\r\n`)
    t.match((await collect(socket)).text, /200 OK/)
  }
  t.match(link.openings, [{ visitor: FROM.peer, public: FROM.local }])
  await logged(entries, 1)
  t.match(entries, [{ visitor: '203.0.113.9', secure: true }])
})

function asking(path: string, address: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: blog.example.com\r\nX-Forwarded-For: ${address}\r\n`
}

t.test("whom a trusted proxy's X-Forwarded-For names is told to the service, logged and counted", async (t) => {
  const waiting: (() => void)[] = []
  const { port, link, entries } = await smallEdge(
    t,
    (request, response) => {
      if (request.url === '/hold') waiting.push(() => response.end('held'))
      else response.end(request.headers['x-real-ip'])
    },
    { trustedProxies: ['127.0.0.1'], limits },
  )
  const close = 'Connection: close\r\n\r\n'
  const both = `${asking('/', '203.0.113.9')}\r\n${asking('/', '203.0.113.10')}${close}`
  t.match(await talk(port, both), /203\.0\.113\.9[^]*203\.0\.113\.10$/)
  t.match(link.openings, [{ visitor: { address: '203.0.113.9', port: 0 } }, { visitor: { address: '203.0.113.10' } }])
  await logged(entries, 2)
  t.match(entries, [{ visitor: '203.0.113.9' }, { visitor: '203.0.113.10' }])
  const held = [1, 2].map(() => talk(port, asking('/hold', '203.0.113.9') + close))
  while (waiting.length < 2) await new Promise(setImmediate)
  t.match(await talk(port, asking('/', '203.0.113.9') + close), /429[^]*TOO_MANY/)
  t.match(await talk(port, asking('/', '203.0.113.11') + close), /200 OK/)
  for (const go of waiting) go()
  await Promise.all(held)
  t.match(await talk(port, asking('/', '203.0.113.9') + close), /200 OK/)
  for (let count = 0; count < 150; count++) t.match(await talk(port, asking('/', '203.0.113.9') + close), /200 OK/)
})

t.test('a service connection that knows somebody is not kept for whoever comes next through a proxy', async (t) => {
  const { port, link } = await smallEdge(
    t,
    (_request, response) => response.writeHead(401, { 'WWW-Authenticate': 'Negotiate abc' }).end(),
    { trustedProxies: ['127.0.0.1'] },
  )
  const ask = 'GET / HTTP/1.1\r\nHost: blog.example.com\r\nX-Forwarded-For: 203.0.113.9\r\n'
  await talk(port, `${ask}\r\n${ask}Connection: close\r\n\r\n`)
  t.equal(link.streams.length, 2)
})
