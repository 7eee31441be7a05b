import { once } from 'node:events'
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { collect, listen, logged, type SmallEdge, smallEdge, stoodStill, talk, until } from '../support/edge.ts'
import { type SecureEdge, secureEdge } from '../support/secure-edge.ts'

const HOST = 'blog.example.com'
const LAST = `Host: ${HOST}\r\nConnection: close\r\n`

const CUT: unique symbol = Symbol('the socket below a session')

type Serve = (stream: ServerHttp2Stream, head: IncomingHttpHeaders) => unknown

/** Leads the tunnel of an edge to a service that speaks HTTP/2 from the first byte. */
async function serve<Edge extends SmallEdge | SecureEdge>(
  t: Test,
  edge: Promise<Edge>,
  take: Serve,
  settings: Settings = {},
): Promise<Edge & { h2c: Http2Server }> {
  const h2c = createServer({ settings })
  let latest: Socket | undefined
  h2c.prependListener('connection', (socket: Socket) => {
    latest = socket
  })
  h2c.on('session', (session) => {
    Object.assign(session, { [CUT]: latest })
    session.on('error', () => {})
  })
  h2c.on('stream', (stream: ServerHttp2Stream, head) => {
    stream.on('error', () => {})
    void take(stream, head)
  })
  const there = await edge
  there.link.lead(await listen(t, h2c))
  there.tunnel.h2c = true
  return { ...there, h2c }
}

/** Breaks the connection below, without a word of HTTP/2. */
function cutOff(stream: ServerHttp2Stream): void {
  const socket = (stream.session as unknown as { [CUT]: Socket })[CUT]
  socket.destroy()
}

/** Says what it was asked, and whether it can send trailers. */
const mirror: Serve = async (stream, head) => {
  let count: unknown
  stream.on('trailers', (fields) => {
    count = fields['x-count']
  })
  const body = await text(stream)
  stream.respond({ ':status': 201, 'x-own': 'yes', 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(count), x_y: 'z' }))
  stream.end(JSON.stringify({ ...head, body }))
}

t.test('a visitor over HTTP/1.1 is served by a service that speaks HTTP/2', async (t) => {
  const { port, tunnel, entries } = await serve(
    t,
    smallEdge(t, () => {}),
    mirror,
  )
  const body =
    'Transfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: X-Count\r\n\r\n5\r\nhello\r\n0\r\nX-Count: 2\r\nX_Y: z\r\n\r\n'
  const got = await talk(port, `POST /a?b=c HTTP/1.1\r\n${LAST}Cookie: x=1; y=2\r\n${body}`)
  t.match(
    got,
    /^HTTP\/1\.1 201 [^]*x-own: yes\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n[^]*\r\nx-sum: 2\r\nx_y: z\r\n\r\n$/,
  )
  t.match(JSON.parse(/\{.*\}/.exec(got)?.[0] ?? ''), {
    ':method': 'POST',
    ':path': '/a?b=c',
    ':scheme': 'http',
    ':authority': HOST,
    te: 'trailers',
    cookie: 'x=1; y=2',
    'x-forwarded-for': '127.0.0.1',
    via: '1.1 engawa',
    body: 'hello',
  })
  t.notMatch(got, /transfer-encoding":|connection":|"host":/)
  await logged(entries, 1)
  t.match(entries, [{ method: 'POST', status: 201, by: 'service', received: 5 }])
  t.equal(tunnel.traffic.open, 0)
  tunnel.hostHeader = 'nas.test'
  t.match(await talk(port, `GET / HTTP/1.1\r\n${LAST}\r\n`), /":authority":"nas.test"[^]*"x-forwarded-host":"blog/)
})

t.test('fields and trailers that Node takes for a fault of ours', async (t) => {
  const seen: string[][] = []
  const { port } = await serve(
    t,
    smallEdge(t, () => {}),
    async (stream) => {
      stream.on('trailers', (_, __, raw: string[]) => void seen.push(raw))
      await text(stream)
      stream.respond({ ':status': 200, 'content-length': 2 })
      stream.end('ok')
    },
  )
  const trailers = 'ETag: "a"\r\nETag: "b"\r\nConstructor: x\r\n'
  const chunked = `Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${trailers}\r\n`
  t.match(await talk(port, `POST / HTTP/1.1\r\n${LAST}${chunked}`), /^HTTP\/1\.1 200 /)
  t.strictSame(seen, [['etag', '"a"', 'etag', '"b"', 'constructor', 'x']])
  t.match(await talk(port, `GET / HTTP/1.1\r\n${LAST}Referer: a\r\nReferer: b\r\n\r\n`), /^HTTP\/1\.1 200 /)
  const upgrade = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const asked = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\n${upgrade}Referer: a\r\nReferer: b\r\n\r\n`
  t.match(await talk(port, asked), /^HTTP\/1\.1 200 /, 'one that waits for the settings of the service')
})

t.test('so is one over HTTP/2, trailers and all', async (t) => {
  const { visit } = await serve(
    t,
    secureEdge(t, () => {}),
    mirror,
  )
  const session = await visit()
  const asked = session.request({ ':method': 'POST', ':path': '/', te: 'trailers' }, { waitForTrailers: true })
  asked.on('wantTrailers', () => asked.sendTrailers({ 'x-count': '3' }))
  const trailers = once(asked, 'trailers')
  asked.end('hello')
  const [head] = (await once(asked, 'response')) as [IncomingHttpHeaders]
  t.match(head, { ':status': 201, 'set-cookie': ['a=1', 'b=2'] })
  t.match(JSON.parse(await text(asked)), { te: 'trailers', body: 'hello', via: '2.0 engawa', ':authority': HOST })
  t.match(await trailers, [{ 'x-sum': '3', x_y: 'z' }])
})

t.test('an answer that is nothing but a head ends with it, as gRPC has its failures', async (t) => {
  const { visit } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream) => stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }),
  )
  const asked = (await visit()).request({ ':method': 'POST', ':path': '/' })
  asked.end('x')
  const [head, flags] = (await once(asked, 'response')) as [IncomingHttpHeaders, number]
  t.equal(head['grpc-status'], '5')
  t.ok(flags & constants.NGHTTP2_FLAG_END_STREAM)
})

t.test('HEAD, 204, 304, 100 and 103', async (t) => {
  const { port } = await serve(
    t,
    smallEdge(t, () => {}),
    (stream, head) => {
      if (head[':path'] === '/204' || head[':path'] === '/304')
        return stream.respond({ ':status': Number(head[':path'].slice(1)) }, { endStream: true })
      if (head['expect'] !== undefined) stream.additionalHeaders({ ':status': 100 })
      stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' })
      stream.respond({ ':status': 200, 'content-length': 5 }, { endStream: head[':method'] === 'HEAD' })
      return head[':method'] === 'HEAD' ? undefined : stream.end('hello')
    },
  )
  t.match(await talk(port, `HEAD / HTTP/1.1\r\n${LAST}\r\n`), /200 OK[^]*content-length: 5\r\n[^]*\r\n\r\n$/i)
  t.match(await talk(port, `GET /204 HTTP/1.1\r\n${LAST}\r\n`), /^HTTP\/1.1 204 [^]*\r\n\r\n$/)
  t.match(await talk(port, `GET /304 HTTP/1.1\r\n${LAST}\r\n`), /^HTTP\/1.1 304 [^]*\r\n\r\n$/)
  t.match(
    await talk(port, `PUT / HTTP/1.1\r\n${LAST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi`),
    /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 103 Early Hints\r\nlink: [^]*200 OK[^]*hello$/i,
  )
})

t.test('requests of one visitor share one connection, those of two do not', async (t) => {
  const waiting: (() => void)[] = []
  const { visit, link } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream, head) => {
      waiting.push(() => {
        stream.respond({ ':status': 200 })
        stream.end(String(head[':path']))
      })
      if (waiting.length === 20) for (const go of waiting) go()
    },
  )
  const [one, other] = [await visit(), await visit()]
  const paths = Array.from({ length: 10 }, (_, at) => `/${at}`)
  const bodies = await Promise.all(
    [one, other].flatMap((session) => paths.map((path) => text(session.request({ ':path': path })))),
  )
  t.strictSame(bodies, [...paths, ...paths])
  t.equal(link.streams.length, 2)
})

t.test('a service that takes two at once gets further connections, and no request is lost', async (t) => {
  const held: (() => void)[] = []
  let most = 0
  const { visit, link } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream, head) => {
      held.push(() => {
        stream.respond({ ':status': 200 })
        stream.end(String(head[':path']))
      })
      most = Math.max(most, held.length)
      // The first of all stands alone; the others wait for one more than a connection takes.
      if (head[':path'] === '/' || most > 2) for (const answer of held.splice(0)) answer()
    },
    { maxConcurrentStreams: 2 },
  )
  const session = await visit()
  // The first of all tells how many it takes.
  t.equal(await text(session.request({ ':path': '/' })), '/')
  const paths = Array.from({ length: 40 }, (_, at) => `/${at}`)
  t.strictSame(await Promise.all(paths.map((path) => text(session.request({ ':path': path })))), paths)
  t.ok(link.streams.length > 1 && link.streams.length <= 10, `${link.streams.length} connections`)
  t.ok(most > 2, `${most} at once`)
  t.same(held, [])
})

t.test('a request that the service refuses before it has begun is sent once more', async (t) => {
  let asked = 0
  const { port } = await serve(
    t,
    smallEdge(t, () => {}),
    (stream) => {
      if (++asked % 2 === 1) return stream.close(constants.NGHTTP2_REFUSED_STREAM)
      stream.respond({ ':status': 200 })
      return stream.end('second')
    },
  )
  t.match(await talk(port, `POST / HTTP/1.1\r\n${LAST}\r\n`), /200 OK[^]*second/)
  t.match(await talk(port, `POST / HTTP/1.1\r\n${LAST}Content-Length: 2\r\n\r\nhi`), /502 [^]*SERVICE_BROKE/)
  t.equal(asked, 3)
})

t.test('a kept connection that has died is replaced, a POST is never sent twice', async (t) => {
  const { visit, link, h2c } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream, head) => {
      if (head[':path'] === '/dies') return cutOff(stream)
      stream.respond({ ':status': 200 })
      return stream.end('ok')
    },
  )
  const session = await visit()
  t.equal(await text(session.request({ ':path': '/' })), 'ok')
  const seen: string[] = []
  h2c.on('stream', (_stream, head) => seen.push(`${head[':method']} ${head[':path']}`))
  for (const [method, asks] of [
    ['GET', 2],
    ['POST', 1],
  ] as const) {
    t.equal(await text(session.request({ ':path': '/' })), 'ok')
    seen.length = 0
    const asked = session.request({ ':method': method, ':path': '/dies' })
    asked.end()
    const [head] = (await once(asked, 'response')) as [IncomingHttpHeaders]
    t.match(head, { ':status': 502, 'engawa-error': 'SERVICE_BROKE' })
    t.equal(seen.length, asks, method)
  }
  t.equal(link.streams.length, 3)
})

t.test('an answer that breaks off never looks whole', async (t) => {
  const breaks: Record<string, (stream: ServerHttp2Stream) => void> = {
    reset: (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    // Node emits 'end' on the other side for these two.
    quietly: (stream) => stream.close(constants.NGHTTP2_NO_ERROR),
    gone: (stream) => cutOff(stream),
  }
  let breakOff: (() => void) | undefined
  const take: Serve = (stream, head) => {
    stream.respond({ ':status': 200 })
    stream.write('half')
    Object.assign(stream, { _final: (done: () => void) => done() })
    breakOff = () => breaks[String(head[':path']).slice(1)]?.(stream)
  }
  const { port, link } = await serve(
    t,
    smallEdge(t, () => {}),
    take,
  )
  const { visit } = await serve(
    t,
    secureEdge(t, () => {}),
    take,
  )
  const session = await visit()
  for (const how of Object.keys(breaks)) {
    const visitor = connect(port, '127.0.0.1')
    const summarized = once(link, 'summary')
    visitor.write(`GET /${how} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    const began = await until(visitor, (got) => got.includes('half'))
    breakOff?.()
    const { text: rest, reset } = await collect(visitor)
    t.notMatch(began + rest, /\r\n0\r\n/)
    t.ok(reset, how)
    await summarized
    t.match(link.summaries.at(-1), { code: 'SERVICE_BROKE' })
    const asked = session.request({ ':path': `/${how}` })
    asked.on('error', () => {})
    const closed = new Promise((resolve) => asked.once('close', resolve))
    await once(asked, 'data')
    breakOff?.()
    await closed
    t.equal(asked.rstCode, constants.NGHTTP2_INTERNAL_ERROR, how)
  }
})

t.test('a visitor who leaves resets its request alone; what was cut is never whole for the service', async (t) => {
  let whole = 0
  const resets: number[] = []
  const { visit, h2c, entries } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream, head) => {
      if (head[':path'] === '/other') {
        stream.respond({ ':status': 200 })
        return stream.end('other')
      }
      stream.once('data', () => stream.respond({ ':status': 200 }))
      stream.on('end', () => (stream.aborted ? undefined : whole++))
      return stream.once('close', () => {
        resets.push(stream.rstCode ?? 0)
        h2c.emit('reset')
      })
    },
  )
  const session = await visit()
  const asked = session.request({ ':method': 'POST', ':path': '/' })
  asked.on('error', () => {})
  asked.write('part')
  await once(asked, 'response')
  const reset = once(h2c, 'reset')
  Object.assign(asked, { _final: (done: () => void) => done() })
  asked.close(constants.NGHTTP2_CANCEL)
  await reset
  t.equal(whole, 0)
  t.strictSame(resets, [constants.NGHTTP2_CANCEL])
  t.equal(await text(session.request({ ':path': '/other' })), 'other')
  await logged(entries, 2)
  t.match(entries, [{ status: 200, code: 'CANCELLED' }, { status: 200 }])
})

t.test('a hostile answer is no answer', async (t) => {
  const { port, link, tunnel } = await serve(
    t,
    smallEdge(t, () => {}),
    (stream, head) => {
      if (head[':path'] === '/large') return stream.respond({ ':status': 200, x: 'y'.repeat(40_000) })
      for (let count = 0; count < 20; count++) stream.additionalHeaders({ ':status': 103 })
      return stream.respond({ ':status': 200 }, { endStream: true })
    },
  )
  for (const path of ['/large', '/endless'])
    t.match(await talk(port, `GET ${path} HTTP/1.1\r\n${LAST}\r\n`), /HTTP\/1.1 502 [^]*SERVICE_BROKE/, path)
  const speaks = await smallEdge(t, (_request, response) => response.end('HTTP/1.1'))
  speaks.tunnel.h2c = true
  t.match(await talk(speaks.port, `GET / HTTP/1.1\r\n${LAST}\r\n`), /^HTTP\/1.1 502 [^]*SERVICE_BROKE/)
  for (const code of ['SERVICE_REFUSED', 'SERVICE_TIMEOUT', 'SESSION_FULL'] as const) {
    link.once('opened', (stream) => setImmediate(() => stream.lose(code)))
    t.match(await talk(port, `GET / HTTP/1.1\r\n${LAST}\r\n`), new RegExp(`Engawa-Error: ${code}`))
  }
  t.equal(tunnel.traffic.open, 0)
})

t.test('a service that says nothing has its time, a gRPC service as much as its client gives it', async (t) => {
  const limits = { responseHeadMs: 500, http2IdleMs: 1000 }
  const later = Promise.withResolvers<ServerHttp2Stream>()
  const { visit } = await serve(
    t,
    secureEdge(t, () => {}, limits),
    (stream, head) => {
      if (head[':path'] === '/later') later.resolve(stream)
      if (head[':path'] === '/begun') stream.respond({ ':status': 200 })
    },
  )
  const session = await visit()
  const grpc = session.request({ ':method': 'POST', ':path': '/later', 'content-type': 'application/grpc' })
  const answered = once(grpc, 'response')
  const silent = session.request({ ':path': '/never' })
  t.match(await once(silent, 'response'), [{ ':status': 504 }])
  const waiting = await later.promise
  // An answer that has begun and goes no further is cut after its idle time: the gRPC call has then waited longer.
  const begun = session.request({ ':path': '/begun' })
  begun.on('error', () => {})
  await new Promise((resolve) => begun.once('close', resolve))
  t.ok(begun.rstCode)
  waiting.respond({ ':status': 200 }, { endStream: true })
  t.match(await answered, [{ ':status': 200 }])
})

t.test('a WebSocket of a visitor over HTTP/1.1, at a service that takes them over HTTP/2', async (t) => {
  const { port, link, service } = await serve(
    t,
    smallEdge(t, () => {}),
    (stream, head) => {
      if (head[':protocol'] !== 'websocket') {
        stream.respond({ ':status': 426 })
        return stream.end('no')
      }
      stream.respond({ ':status': 200, 'sec-websocket-protocol': String(head['sec-websocket-protocol']) })
      stream.on('end', () => stream.end())
      // Frames come back as they are, but masked ones are for servers alone: this one only counts.
      return stream.on('data', (frame: Buffer) => stream.write(Buffer.from([0x81, 1, 0x30 + (frame[0] ?? 0) - 0x81])))
    },
    { enableConnectProtocol: true },
  )
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['soap'], { headers: { host: HOST } })
  await once(socket, 'open')
  t.equal(socket.protocol, 'soap')
  socket.send('x')
  const [said] = (await once(socket, 'message')) as [Buffer]
  t.equal(said.toString(), '0')
  const summarized = once(link, 'summary')
  socket.terminate()
  await summarized
  t.match(link.summaries, [{ status: 101, path: '/chat' }])
  service.close()
})

t.test('at one that does not, it is a plain request', async (t) => {
  const { port } = await serve(
    t,
    smallEdge(t, () => {}),
    (stream, head) => {
      t.notOk(head['upgrade'])
      stream.respond({ ':status': 426 })
      stream.end('no')
    },
  )
  const ask = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  const visitor = connect(port, '127.0.0.1')
  visitor.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${ask}`)
  t.match(await until(visitor, (got) => got.includes('\r\n0\r\n')), /^HTTP\/1.1 426 [^]*no\r\n/)
  visitor.destroy()
})

t.test('large bodies pass both ways, and a visitor who does not read stops the service', async (t) => {
  let written = 0
  const { visit, link } = await serve(
    t,
    secureEdge(t, () => {}),
    (stream, head) => {
      stream.respond({ ':status': 200 })
      if (head[':path'] === '/echo') return stream.pipe(stream)
      const chunk = Buffer.alloc(64 * 1024)
      const pour = (): void => {
        for (;;) {
          written += chunk.length
          if (!stream.write(chunk)) return void stream.once('drain', pour)
        }
      }
      return pour()
    },
  )
  const session = await visit()
  const SIZE = 32 * 1024 * 1024
  const echo = session.request({ ':method': 'POST', ':path': '/echo' })
  let count = 0
  echo.on('data', (chunk: Buffer) => {
    count += chunk.length
  })
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  for (let sent = 0; sent < SIZE; sent += chunk.length) if (!echo.write(chunk)) await once(echo, 'drain')
  echo.end()
  await once(echo, 'end')
  t.equal(count, SIZE)
  const stalled = session.request({ ':path': '/pour' })
  await once(stalled, 'response')
  await stoodStill(() => written)
  t.ok(written < 16 * 1024 * 1024, `${written} bytes left the service`)
  t.equal(link.streams.length, 1)
})
