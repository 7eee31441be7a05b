import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { collect, type SmallEdge, smallEdge, until } from '../support/edge.ts'

const HOST = 'Host: blog.example.com\r\n'
const LAST = `GET /last HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
const BIG = 'x'.repeat(300_000)

/** Answers in every way that a service may, and writes down what it was asked. */
function service(seen: string[]): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const body = await text(request)
    seen.push(`${request.method} ${request.url} ${JSON.stringify(request.rawHeaders)} ${body}`)
    const path = request.url?.split('?')[0]
    response.sendDate = path === '/dated'
    if (path === '/204') response.writeHead(204).end()
    else if (path === '/304') response.writeHead(304, { ETag: '"x"', 'Content-Length': 7 }).end()
    else if (path === '/length')
      response.writeHead(200, 'Fine', { 'Content-Length': 5, 'Set-Cookie': ['a=b', 'c=d'] }).end('hello')
    else if (path === '/empty') response.writeHead(404, { 'Content-Length': 0 }).end()
    else if (path === '/big') response.writeHead(200, { 'Content-Length': BIG.length }).end(BIG)
    else if (path === '/early') {
      response.writeEarlyHints({ link: '</a>; rel=preload' }, () => response.end('after'))
    } else if (path === '/trailers' && request.method !== 'HEAD') {
      response.writeHead(200, { Trailer: 'X-Sum' })
      response.addTrailers({ 'X-Sum': '1' })
      response.end('body')
    } else if (path === '/close') request.socket.end('HTTP/1.1 200 OK\r\n\r\nto the end')
    else if (path === '/old') request.socket.end('HTTP/1.0 200 OK\r\nServer: old\r\n\r\nto the end')
    else if (path === '/broken') request.socket.destroy()
    else if (path === '/wrong')
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n')
    else response.end(`${request.method} ${body}`)
  }
}

interface Way {
  readonly edge: SmallEdge
  readonly seen: string[]
}

async function way(t: Tap, nodeHttp: boolean): Promise<Way> {
  const seen: string[] = []
  const limits = {
    perAddress: { connections: 10_000, newPerSecond: 1_000_000, burst: 1_000_000 },
    requestHeadMs: 60_000,
  }
  return { edge: await smallEdge(t, service(seen), { limits, nodeHttp }), seen }
}
type Tap = Parameters<typeof smallEdge>[0]

/** What comes back to bytes that are sent in pieces, without what is another at each time. */
async function heard(
  { edge, seen }: Way,
  bytes: string,
  size = bytes.length,
): Promise<{ text: string; seen: string[] }> {
  const socket = connect(edge.port, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  const answer = collect(socket)
  for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
    socket.write(Buffer.from(bytes.slice(at, at + size), 'latin1'))
    // oxlint-disable-next-line no-await-in-loop -- pieces are to arrive apart
    if (size < bytes.length) await new Promise((resolve) => setImmediate(resolve))
  }
  const { text } = await answer
  const local = new RegExp(`127\\.0\\.0\\.1:\\d+|"${edge.port}"`, 'g')
  return {
    text: text.replaceAll(/^Date: .*$/gim, 'Date: now'),
    seen: seen.splice(0).map((line) => line.replaceAll(local, 'here')),
  }
}

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\n${HOST}${fields}\r\n`
const REQUESTS: Readonly<Record<string, string>> = {
  'each way to answer':
    [
      '/',
      '/length',
      '/204',
      '/304',
      '/empty',
      '/dated',
      '/trailers',
      '/early',
      '/big',
      '/old',
      '/close',
      '/broken',
      '/wrong',
    ]
      .map((path) => get(path))
      .join('') + LAST,
  HEAD: ['/', '/length', '/204', '/304', '/trailers'].map((path) => get(path).replace('GET', 'HEAD')).join('') + LAST,
  'bodies of known length': `POST /a HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhelloPUT /b?c HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\nPATCH /d HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc${LAST}`,
  'chunks after plain requests': `${get('/')}POST /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${get('/length')}${LAST}`,
  'a head that only Node reads': `${get('/')}\r\n${get('/length')}${LAST}`,
  'HTTP/1.0 after HTTP/1.1': `${get('/')}GET /length HTTP/1.0\r\n${HOST}\r\n`,
  'an unknown host': `GET / HTTP/1.1\r\nHost: nobody.example.org\r\nAccept: application/json\r\n\r\n${LAST}`,
  'two hosts': `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`,
  'an odd method': `TRACE / HTTP/1.1\r\n${HOST}\r\n`,
  'a long target': get(`/${'a'.repeat(9000)}`),
  'forged fields':
    get(
      '/',
      'X-Forwarded-For: 1.2.3.4\r\nX-Real-Ip: 1.2.3.4\r\nForwarded: for=x\r\nProxy: y\r\nTE: trailers\r\nAccept: a\r\naccept: b\r\n',
    ) + LAST,
  'an upgrade that is not taken up': get('/length', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
  'an expectation': `${get('/')}PUT /a HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi${LAST}`,
}

t.test('both ways answer alike, byte for byte, and ask the service alike', async (t) => {
  const [strict, node] = [await way(t, false), await way(t, true)]
  for (const [name, bytes] of Object.entries(REQUESTS)) {
    // oxlint-disable-next-line no-await-in-loop -- what a service sees belongs to one of them
    const [ours, theirs] = [await heard(strict, bytes), await heard(node, bytes)]
    t.equal(ours.text, theirs.text, name)
    t.strictSame(ours.seen, theirs.seen, `${name}: what the service sees`)
  }
})

t.test('what is no request behind one is refused once that was answered', async (t) => {
  const strict = await way(t, false)
  const smuggled = `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`
  for (const wrong of ['nonsense\r\n\r\n', smuggled, `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`]) {
    // oxlint-disable-next-line no-await-in-loop -- as above
    const { text, seen } = await heard(strict, get('/') + wrong + get('/after'))
    t.match(text, /^HTTP\/1.1 200 OK[^]*GET HTTP\/1.1 400 Bad Request/)
    t.equal(seen.length, 1)
  }
})

t.test('the same bytes in any pieces are the same requests', async (t) => {
  const strict = await way(t, false)
  for (const [name, bytes] of Object.entries(REQUESTS)) {
    if (bytes.length > 5000 || bytes.includes('/big') || bytes.includes('HTTP/1.0')) continue
    // oxlint-disable-next-line no-await-in-loop -- as above
    const whole = await heard(strict, bytes)
    for (const size of [1, 7, 64, 200]) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      t.strictSame(await heard(strict, bytes, size), whole, `${name}, ${size} bytes at a time`)
    }
  }
})

t.test('what a visitor sends ahead waits for the answer before', async (t) => {
  const answers: ServerResponse[] = []
  const { port, link } = await smallEdge(t, (_request, response) => answers.push(response))
  const visitor = connect(port, '127.0.0.1')
  visitor.write(get('/a') + get('/b') + LAST)
  for (const letter of ['a', 'b', 'c']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    t.equal(answers.length, 1, 'one at a time')
    answers.shift()?.end(letter)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await until(visitor, (got) => got.endsWith(`\r\n\r\n${letter}`))
  }
  t.equal(link.streams.length, 1)
  await closed(visitor)
})

t.test('a head that stops half-way is given its time once, whoever reads it', async (t) => {
  for (const begun of ['', 'GET / HT', `\r\nGET / HTTP/1.1\r\n${HOST}`]) {
    const { port, entries } = await smallEdge(t, (_request, response) => response.end('ok'), {
      limits: { requestHeadMs: 1000 },
    })
    const visitor = connect(port, '127.0.0.1')
    visitor.write(begun)
    const { text } = await collect(visitor)
    t.match(text, /^HTTP\/1.1 408 /, JSON.stringify(begun))
    t.match(entries, [{ code: 'REQUEST_TIMEOUT' }])
  }
})

t.test('an idle connection ends after its time, and one in the middle of a head is refused', async (t) => {
  for (const [more, keepAliveIdleMs, expected] of [
    ['', 300, /^$/],
    ['GET / HT', 60_000, /^HTTP\/1.1 408 /],
  ] as const) {
    const limits = { keepAliveIdleMs, requestHeadMs: 1000 }
    const { port } = await smallEdge(t, (_request, response) => response.end('ok'), { limits })
    const visitor = connect(port, '127.0.0.1')
    visitor.write(get('/'))
    await until(visitor, (got) => got.endsWith('ok'))
    visitor.write(more)
    t.match((await collect(visitor)).text, expected)
  }
})

t.test('a visitor who leaves in the middle of a body is no whole request', async (t) => {
  const { port, link } = await smallEdge(t, (request) => void request.resume())
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  visitor.end(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhalf`)
  const { text, reset } = await collect(visitor)
  t.equal(text, '')
  t.ok(reset)
  t.equal(link.streams[0]?.resetBy, 'CANCELLED')
})

async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await once(socket.resume(), 'close')
}
