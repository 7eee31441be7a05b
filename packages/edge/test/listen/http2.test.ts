import { EventEmitter, once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'
import { constants } from 'node:http2'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { logged } from '../support/edge.ts'
import { secureEdge } from '../support/secure-edge.ts'

interface Answered {
  readonly head: IncomingHttpHeaders
  readonly body: string
  readonly trailers: IncomingHttpHeaders | undefined
}

async function answered(stream: ClientHttp2Stream): Promise<Answered> {
  let trailers: IncomingHttpHeaders | undefined
  stream.on('trailers', (fields) => {
    trailers = fields
  })
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  return { head, body: await text(stream), trailers }
}

function get(session: ClientHttp2Session, path: string, fields: OutgoingHttpHeaders = {}): Promise<Answered> {
  return answered(session.request({ ':path': path, ...fields }))
}

/** How a stream ended when it did not end well. */
async function resetBy(stream: ClientHttp2Stream): Promise<number> {
  stream.on('error', () => {})
  stream.resume()
  if (!stream.destroyed) await new Promise((resolve) => stream.once('close', resolve))
  return stream.rstCode
}

t.test('a request over HTTP/2 reaches the service as one of HTTP/1.1, and its answer comes back', async (t) => {
  const { visit, entries } = await secureEdge(t, (request, response) => {
    response.setHeader('X-Own', 'yes')
    response.setHeader('Connection', 'X-Own-Hop')
    response.setHeader('X-Own-Hop', 'no')
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.end(JSON.stringify({ url: request.url, version: request.httpVersion, ...request.headers }))
  })
  const session = await visit()
  const { head, body } = await get(session, '/a?b=c', {
    cookie: ['x=1', 'y=2'],
    te: 'trailers',
    'x-forwarded-for': '6.6.6.6',
  })
  t.match(head, { ':status': 200, 'x-own': 'yes', 'set-cookie': ['a=1', 'b=2'], 'x-own-hop': undefined })
  const seen = JSON.parse(body) as Record<string, unknown>
  t.match(seen, {
    url: '/a?b=c',
    version: '1.1',
    host: 'blog.example.com',
    cookie: 'x=1; y=2',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'https',
    via: '2.0 engawa',
  })
  t.notOk('te' in seen)
  await logged(entries, 1)
  t.match(entries, [{ version: '2.0', target: '/a?b=c', status: 200, by: 'service', secure: true }])
})

t.test('bodies and trailers pass both ways', async (t) => {
  const { visit } = await secureEdge(t, async (request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' })
    for await (const chunk of request) response.write(chunk)
    response.addTrailers({ 'X-Sum': String(request.trailers['x-count']) })
    response.end(` ${request.headers['transfer-encoding']} ${request.headers['content-length']}`)
  })
  const session = await visit()
  const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-count': '2', 'x-forwarded-for': '6.6.6.6' }))
  stream.write('one ')
  stream.end('two')
  const { body, trailers } = await answered(stream)
  t.equal(body, 'one two chunked undefined')
  t.equal(trailers?.['x-sum'], '2')
  const sized = session.request({ ':method': 'PUT', ':path': '/', 'content-length': 5 })
  sized.end('hello')
  t.equal((await answered(sized)).body, 'hello undefined 5')
  const got = session.request({ ':method': 'GET', ':path': '/' }, { endStream: false })
  got.end('odd')
  t.equal((await answered(got)).body, 'odd chunked undefined', 'a GET may have a body, too')
})

t.test('what Node takes for a fault of ours passes, too', async (t) => {
  const doubled = [
    'ETag',
    '"a"',
    'ETag',
    '"b"',
    'X-Content-Type-Options',
    'nosniff',
    'X-Content-Type-Options',
    'nosniff',
  ]
  const { visit } = await secureEdge(t, (_request, response) => {
    response.writeHead(200, [...doubled, 'Transfer-Encoding', 'chunked', 'Trailer', 'X-Sum'])
    response.write('hello')
    response.addTrailers([
      ['ETag', '"a"'],
      ['ETag', '"b"'],
      ['Constructor', 'x'],
      ['__proto__', 'y'],
    ] as never)
    response.end()
  })
  const session = await visit()
  const stream = session.request({ ':path': '/' })
  const trailers = once(stream, 'trailers')
  const { head, body } = await answered(stream)
  t.match(head, { ':status': 200, 'x-content-type-options': 'nosniff' }, 'fields that should be there once')
  t.equal(body, 'hello')
  const [, , raw] = (await trailers) as [unknown, unknown, string[]]
  t.strictSame(raw, ['etag', '"a"', 'etag', '"b"', 'constructor', 'x', '__proto__', 'y'], 'the same among trailers')
})

t.test('HEAD, 204, 304, 103 and large bodies', async (t) => {
  const SIZE = 32 * 1024 * 1024
  const { visit } = await secureEdge(t, (request, response) => {
    if (request.url === '/204') return response.writeHead(204).end()
    if (request.url === '/304') return response.writeHead(304, { ETag: '"x"' }).end()
    if (request.url === '/103') response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    if (request.url === '/large') return request.pipe(response)
    return response.writeHead(200, { 'Content-Length': 5 }).end(request.method === 'HEAD' ? undefined : 'hello')
  })
  const session = await visit()
  t.match(await answered(session.request({ ':method': 'HEAD', ':path': '/' })), {
    head: { ':status': 200, 'content-length': '5' },
    body: '',
  })
  t.match(await get(session, '/204'), { head: { ':status': 204 }, body: '' })
  t.match(await get(session, '/304'), { head: { ':status': 304, etag: '"x"' }, body: '' })
  const hinted = session.request({ ':path': '/103' })
  const hints: IncomingHttpHeaders[] = []
  hinted.on('headers', (fields) => hints.push(fields))
  t.equal((await answered(hinted)).body, 'hello')
  t.match(hints, [{ ':status': 103, link: '</a.css>; rel=preload' }])
  const large = session.request({ ':method': 'POST', ':path': '/large' })
  let count = 0
  large.on('data', (chunk: Buffer) => {
    count += chunk.length
  })
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  for (let sent = 0; sent < SIZE; sent += chunk.length) if (!large.write(chunk)) await once(large, 'drain')
  large.end()
  await once(large, 'end')
  t.equal(count, SIZE)
})

t.test('requests at once have a service connection each, later ones take what is free', async (t) => {
  const waiting: (() => void)[] = []
  const { visit, link } = await secureEdge(t, (request, response) => {
    if (request.url === '/free') return response.end('free')
    waiting.push(() => response.end(request.url))
    if (waiting.length === 10) for (const go of waiting) go()
    return undefined
  })
  const [one, other] = [await visit(), await visit()]
  const bodies = await Promise.all(Array.from({ length: 10 }, (_, index) => get(one, `/${index}`)))
  t.strictSame(
    bodies.map(({ body }) => body),
    Array.from({ length: 10 }, (_, index) => `/${index}`),
  )
  t.equal(link.streams.length, 10)
  await get(one, '/free')
  t.equal(link.streams.length, 10, 'one that was free')
  await get(other, '/free')
  t.equal(link.streams.length, 11, 'never that of another visitor')
})

t.test('a service that ties identity to its connection is asked over HTTP/1.1', async (t) => {
  const { visit } = await secureEdge(t, (_request, response) =>
    response.writeHead(401, { 'WWW-Authenticate': ['Basic realm="x"', 'NTLM'] }).end(),
  )
  const session = await visit()
  t.equal(await resetBy(session.request({ ':path': '/' })), constants.NGHTTP2_HTTP_1_1_REQUIRED)
})

t.test('an answer that breaks off resets its stream alone', async (t) => {
  let breakOff: (() => void) | undefined
  const { visit, entries } = await secureEdge(t, (request, response) => {
    if (request.url === '/whole') return response.end('whole')
    response.writeHead(200, { 'Content-Length': 100 })
    response.write('half')
    breakOff = () => request.socket.resetAndDestroy()
    return undefined
  })
  const session = await visit()
  const stream = session.request({ ':path': '/half' })
  await once(stream, 'response')
  breakOff?.()
  t.equal(await resetBy(stream), constants.NGHTTP2_INTERNAL_ERROR)
  t.equal((await get(session, '/whole')).body, 'whole')
  await logged(entries, 2)
  t.match(entries, [{ code: 'SERVICE_BROKE' }, { status: 200 }])
})

t.test('a visitor who takes a request back resets the service’s stream; a torn body is never whole', async (t) => {
  let whole = 0
  const { visit, link, entries } = await secureEdge(t, (request) => {
    request.resume().on('end', () => whole++)
    request.on('error', () => {})
  })
  const session = await visit()
  for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false })
    stream.on('error', () => {})
    stream.write('part')
    const reset = once(link, 'reset')
    await once(link, 'opened')
    // Node would end it first.
    Object.assign(stream, { _final: (done: () => void) => done() })
    stream.close(code)
    await reset
  }
  t.equal(whole, 0)
  await logged(entries, 2)
  t.match(entries, [{ status: 499, code: 'CANCELLED' }, { status: 499 }])
})

t.test('own answers of the edge', async (t) => {
  const { visit, tunnel, link } = await secureEdge(t, () => {})
  const session = await visit()
  tunnel.live = undefined
  const away = await get(session, '/', { accept: 'application/json' })
  t.match(away.head, { ':status': 503, 'engawa-error': 'AGENT_AWAY', 'content-type': /json/ })
  tunnel.live = { link, service: 7 }
  link.lead(1)
  t.match((await get(session, '/')).head, { ':status': 502, 'engawa-error': 'SERVICE_REFUSED' })
  t.match((await get(session, '/', { ':authority': 'other.example.com' })).head, { ':status': 421 })
  t.match((await get(session, '/', { x_y: 'z' })).head, { ':status': 400, 'engawa-error': 'REQUEST_INVALID' })
})

t.test('a request in which nothing moves ends after its time, gRPC goes on', async (t) => {
  const { visit } = await secureEdge(t, (_request, response) => response.writeHead(200).write('x'), {
    http2IdleMs: 500,
  })
  const session = await visit()
  const grpc = session.request({ ':method': 'POST', ':path': '/', 'content-type': 'application/grpc+proto' })
  await once(grpc, 'response')
  t.equal(await resetBy(session.request({ ':path': '/' })), constants.NGHTTP2_INTERNAL_ERROR)
  t.notOk(grpc.closed)
  grpc.on('error', () => {})
})

t.test('limits: streams at once, size of the head, rapid resets, idle connections', async (t) => {
  const limits = { http2Streams: 3, http2ResetBurst: 20, http2ResetsPerSecond: 1, keepAliveIdleMs: 1000 }
  const { visit, link } = await secureEdge(
    t,
    (request, response) => {
      if (request.url === '/') response.end('ok')
    },
    limits,
  )
  const session = await visit()
  if (session.remoteSettings.maxConcurrentStreams !== 3) await once(session, 'remoteSettings')
  t.match(session.remoteSettings, { maxConcurrentStreams: 3, maxHeaderListSize: 16_384, enablePush: false })
  const large = session.request({ ':path': '/', x: 'y'.repeat(20_000) })
  const many = session.request({
    ':path': '/',
    ...Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`x${at}`, 'y'])),
  })
  t.not(await resetBy(large), 0)
  t.not(await resetBy(many), 0)
  t.equal(link.streams.length, 0)
  t.equal((await get(session, '/')).body, 'ok')
  await once(session, 'close')
  t.pass('idle connections end')
  const rapid = await visit()
  const closed = once(rapid, 'goaway')
  const attack = async (): Promise<void> => {
    for (let count = 0; count < 200 && !rapid.closed; count++) {
      const stream = rapid.request({ ':path': '/never' })
      stream.on('error', () => {})
      stream.close(constants.NGHTTP2_CANCEL)
      await new Promise(setImmediate)
    }
  }
  await Promise.all([attack(), closed])
  t.equal((await closed)[0], constants.NGHTTP2_ENHANCE_YOUR_CALM)
  t.ok(link.streams.length <= 25, `${link.streams.length} reached the service`)
})

/** SETTINGS, and GOAWAY with NO_ERROR. RFC 9113 §6.5, §6.8 */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
const GOAWAY = Buffer.concat([Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0]), Buffer.alloc(8)])

for (const [name, frames] of [
  ['says GOAWAY', [SETTINGS, GOAWAY]],
  ['asks for nothing', [SETTINGS]],
] as const) {
  t.test(`a visitor who ${name} and never closes is not waited for`, async (t) => {
    const { port } = await secureEdge(t, () => {}, { requestHeadMs: 200 })
    const host = 'blog.example.com'
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      servername: host,
      ALPNProtocols: ['h2'],
      rejectUnauthorized: false,
    })
    socket.allowHalfOpen = true
    t.teardown(() => socket.destroy())
    socket.on('error', () => {})
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await once(socket, 'secureConnect')
    const ended = once(socket.resume(), 'end')
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), ...frames]))
    await ended
    // Whoever is still heard keeps a socket of the edge.
    const timer = setInterval(() => socket.write(SETTINGS), 20)
    await closed
    clearInterval(timer)
    t.pass('its socket is gone')
  })
}

t.test('requests of one address over HTTP/2 are counted on all its connections', async (t) => {
  const waiting = new Map<string, () => void>()
  const come = new EventEmitter<{ request: [] }>()
  const { visit, link } = await secureEdge(
    t,
    (request, response) => {
      waiting.set(request.url ?? '', () => response.end(request.url))
      come.emit('request')
    },
    { http2RequestsPerAddress: 3 },
  )
  const [one, other] = [await visit(), await visit()]
  const held = [get(one, '/a'), get(one, '/b'), get(other, '/c')]
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  while (waiting.size < held.length) await once(come, 'request')
  const refused = await get(other, '/d')
  t.match(refused.head, { ':status': 429, 'engawa-error': 'TOO_MANY' })
  t.equal(link.streams.length, 3, 'it never came to the service')
  waiting.get('/a')?.()
  t.equal((await held[0])?.body, '/a')
  // A stream is over at the edge a moment after its answer has come.
  const taken = once(come, 'request').then(() => 'taken' as const)
  let again = get(other, '/e')
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  while ((await Promise.race([taken, again])) !== 'taken') again = get(other, '/e')
  t.pass('there is room again')
  for (const path of ['/b', '/c', '/e']) waiting.get(path)?.()
  t.match(await Promise.all([again, ...held.slice(1)]), [{ body: '/e' }, { body: '/b' }, { body: '/c' }])
})

t.test('closing lets what runs finish and takes nothing new', async (t) => {
  let finish: (() => void) | undefined
  const { visit, tls, service } = await secureEdge(t, (_request, response) => {
    finish = () => response.end('finished')
  })
  const session = await visit()
  const running = get(session, '/')
  await once(service, 'request')
  const goaway = once(session, 'goaway')
  const closed = tls.close(60_000)
  await goaway
  finish?.()
  t.equal((await running).body, 'finished')
  await closed
})

t.test('a refused request is told of whom a trusted proxy speaks for', async (t) => {
  const { visit, entries } = await secureEdge(t, (_request, response) => response.end('ok'), {}, ['127.0.0.1'])
  const fields = { 'x-forwarded-for': '203.0.113.9', x_y: '1' }
  t.match((await get(await visit(), '/', fields)).head, { ':status': 400 })
  await logged(entries, 1)
  t.match(entries, [{ visitor: '203.0.113.9', code: 'REQUEST_INVALID' }])
})
