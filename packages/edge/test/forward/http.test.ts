import { once } from 'node:events'
import {
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  request,
  type ServerResponse,
} from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { collect, smallEdge, stoodStill, talk, until } from '../support/edge.ts'

const HOST = 'blog.example.com'

async function get(port: number, options: RequestOptions = {}): Promise<{ answer: IncomingMessage; body: string }> {
  const asked = request({
    port,
    host: '127.0.0.1',
    agent: false,
    ...options,
    headers: { host: HOST, ...(options.headers as OutgoingHttpHeaders) },
  })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { answer, body: await text(answer) }
}

t.test('a request reaches the service as it was sent, and its answer comes back', async (t) => {
  const { port, link, tunnel } = await smallEdge(t, async (request, response) => {
    const body = await text(request)
    response.writeHead(201, { 'X-Own': 'yes', 'Set-Cookie': ['a=1', 'b=2'] })
    response.end(`${request.method} ${request.url} ${request.headers.host} ${body}`)
  })
  const summarized = once(link, 'summary')
  const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/a/b?c=%20d', headers: { host: HOST } })
  asked.end('hello')
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  t.equal(await text(answer), `POST /a/b?c=%20d ${HOST} hello`)
  t.match(answer, { statusCode: 201, headers: { 'x-own': 'yes', 'set-cookie': ['a=1', 'b=2'] } })
  await summarized
  t.match(link.summaries, [
    { service: 7, method: 'POST', path: '/a/b', status: 201, received: 5, visitor: '127.0.0.1' },
  ])
  t.match(link.openings, [{ service: 7, protocol: 'http', visitor: { address: '127.0.0.1' }, public: { port } }])
  t.match(tunnel.traffic, { total: 1, open: 0, received: 5 })
})

t.test('requests of one visitor connection share one service connection, those of two do not', async (t) => {
  const { port, link } = await smallEdge(t, (_request, response) => response.end('ok'))
  const ask = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`
  const last = `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`
  t.match(await talk(port, ask + ask + last), /(?:200 OK[^]*){3}/)
  t.equal(link.streams.length, 1)
  await talk(port, last)
  t.equal(link.streams.length, 2)
})

t.test('a kept service connection that has died is replaced without the visitor noticing', async (t) => {
  const { port, link } = await smallEdge(t, (request, response) => {
    // Ends the connection when the second request comes, as a service does whose idle time has just passed.
    const socket = request.socket as { seen?: boolean } & typeof request.socket
    if (socket.seen === true) socket.destroy()
    else response.end('ok')
    socket.seen = true
  })
  const visitor = connect(port, '127.0.0.1')
  const ask = (method: string): void => void visitor.write(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  ask('GET')
  await until(visitor, (got) => got.includes('ok'))
  ask('GET')
  t.match(await until(visitor, (got) => got.includes('ok')), /200 OK/)
  t.equal(link.streams.length, 2)
  ask('POST')
  t.match(
    await until(visitor, (got) => got.includes('Engawa-Error')),
    /502[^]*Engawa-Error: SERVICE_BROKE/,
    'a POST is never sent twice',
  )
  visitor.destroy()
})

t.test('HEAD, 204 and 304 come without a body', async (t) => {
  const { port } = await smallEdge(t, (request, response) => {
    if (request.url === '/204') return response.writeHead(204).end()
    if (request.url === '/304') return response.writeHead(304, { ETag: '"x"' }).end()
    return response.writeHead(200, { 'Content-Length': 5 }).end(request.method === 'HEAD' ? undefined : 'hello')
  })
  t.match(await get(port, { method: 'HEAD' }), {
    body: '',
    answer: { statusCode: 200, headers: { 'content-length': '5' } },
  })
  t.match(await get(port, { path: '/204' }), { body: '', answer: { statusCode: 204 } })
  t.match(await get(port, { path: '/304' }), { body: '', answer: { statusCode: 304, headers: { etag: '"x"' } } })
})

t.test("Range is the service's own matter", async (t) => {
  const { port } = await smallEdge(t, (request, response) => {
    response.writeHead(206, { 'Content-Range': 'bytes 2-3/6', 'Content-Length': 2 })
    response.end(request.headers.range === 'bytes=2-3' ? 'cd' : 'no')
  })
  t.match(await get(port, { headers: { range: 'bytes=2-3' } }), {
    body: 'cd',
    answer: { statusCode: 206, headers: { 'content-range': 'bytes 2-3/6' } },
  })
})

t.test('chunks and trailers pass both ways', async (t) => {
  const { port } = await smallEdge(t, async (request, response) => {
    const body = await text(request)
    response.writeHead(200, { Trailer: 'X-Sum' })
    response.write(`${request.headers['transfer-encoding']} ${body} `)
    response.addTrailers({ 'X-Sum': String(request.trailers['x-count']) })
    response.end(JSON.stringify(request.rawTrailers))
  })
  const asked = request({ port, host: '127.0.0.1', method: 'POST', headers: { host: HOST, Trailer: 'X-Count' } })
  asked.write('one ')
  asked.write('two')
  asked.addTrailers({ 'X-Count': '2', 'X-Forwarded-For': '1.2.3.4' })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  t.equal(await text(answer), 'chunked one two ["X-Count","2"]')
  t.match(answer.trailers, { 'x-sum': '2' })
})

t.test('events are passed on at once, the head before any body', async (t) => {
  let go: (() => void) | undefined
  const { port } = await smallEdge(t, (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    go = () => response.write('data: 1\n\n')
  })
  const asked = request({ port, host: '127.0.0.1', agent: false, headers: { host: HOST } })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  go?.()
  const [event] = (await once(answer, 'data')) as [Buffer]
  t.equal(event.toString(), 'data: 1\n\n')
  answer.destroy()
})

t.test("Expect: 100-continue waits for the service's own 100", async (t) => {
  const { port, service } = await smallEdge(t, () => {})
  const order: string[] = []
  service.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    order.push('asked')
    response.writeContinue()
    request.pipe(response)
  })
  const asked = request({
    port,
    host: '127.0.0.1',
    method: 'PUT',
    headers: { host: HOST, Expect: '100-continue', 'Content-Length': 4 },
  })
  asked.flushHeaders()
  await once(asked, 'continue')
  order.push('continue')
  asked.end('body')
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  t.equal(await text(answer), 'body')
  t.strictSame(order, ['asked', 'continue'])
})

t.test(
  "a service that answers without 100 closes the visitor's connection, since its body may or may not follow",
  async (t) => {
    const { port, service } = await smallEdge(t, () => {})
    service.on('checkContinue', (_request, response) => response.writeHead(413).end('too large'))
    const answer = await talk(
      port,
      `PUT / HTTP/1.1\r\nHost: ${HOST}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
    )
    t.match(answer, /^HTTP\/1.1 413[^]*connection: close[^]*too large\r\n0\r\n\r\n$/i)
  },
)

t.test('103 Early Hints go through, and an endless row of them does not', async (t) => {
  const { port } = await smallEdge(t, (request, response) => {
    if (request.url === '/endless') for (let count = 0; count < 20; count++) response.writeProcessing()
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.end('done')
  })
  const answer = await talk(port, `GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`)
  t.match(answer, /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1.1 200 OK/i)
  t.match(
    await talk(port, `GET /endless HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`),
    /502[^]*SERVICE_BROKE/,
  )
})

t.test('an answer that breaks off ends in a reset, never in a clean end', async (t) => {
  for (const framing of [{}, { 'Content-Length': '100' }]) {
    let breakOff: (() => void) | undefined
    const { port, link } = await smallEdge(t, (request, response) => {
      response.writeHead(200, framing)
      response.write('half')
      breakOff = () => request.socket.resetAndDestroy()
    })
    const visitor = connect(port, '127.0.0.1')
    const summarized = once(link, 'summary')
    visitor.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    const began = await until(visitor, (got) => got.includes('half'))
    breakOff?.()
    const { text: rest, reset } = await collect(visitor)
    t.ok(reset, `reset ${JSON.stringify(framing)}`)
    t.notMatch(began + rest, /\r\n0\r\n/)
    await summarized
    t.match(link.summaries, [{ code: 'SERVICE_BROKE' }])
  }
})

t.test('a visitor who leaves takes its service connection along', async (t) => {
  const { port, link, tunnel } = await smallEdge(t, (request, response) => {
    response.write('x')
    request.on('data', () => {})
  })
  const visitor = connect(port, '127.0.0.1')
  visitor.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000\r\n\r\nabc`)
  await until(visitor, (got) => got.includes('200 OK'))
  const [reset, summarized] = [once(link, 'reset'), once(link, 'summary')]
  visitor.resetAndDestroy()
  await Promise.all([reset, summarized])
  t.equal(link.streams[0]?.resetBy, 'CANCELLED')
  t.match(link.summaries, [{ code: 'CANCELLED', received: 3 }])
  t.equal(tunnel.traffic.open, 0)
})

t.test('each way that a service fails has its own answer', async (t) => {
  const { port, link } = await smallEdge(t, (request) => void request.socket.destroy(), {
    limits: { responseHeadMs: 60_000 },
  })
  t.match(await get(port), { answer: { statusCode: 502, headers: { 'engawa-error': 'SERVICE_BROKE' } } })
  for (const [code, status] of [
    ['SERVICE_REFUSED', 502],
    ['SERVICE_TIMEOUT', 504],
    ['SERVICE_UNKNOWN', 502],
    ['SESSION_FULL', 503],
    ['AGENT_DRAINING', 503],
  ] as const) {
    link.once('opened', (stream) => setImmediate(() => stream.lose(code)))
    t.match(await get(port), { answer: { statusCode: status, headers: { 'engawa-error': code } } })
  }
  link.lead(1)
  t.match(await get(port), { answer: { statusCode: 502, headers: { 'engawa-error': 'SERVICE_REFUSED' } } })
})

t.test('the service has its time to answer, and time stands still while the session is away', async (t) => {
  const { port, link } = await smallEdge(t, () => {}, { limits: { responseHeadMs: 30 } })
  link.once('opened', () => {
    link.pause(true)
    setTimeout(() => link.pause(false), 200)
  })
  const from = performance.now()
  t.match(await get(port), { answer: { statusCode: 504, headers: { 'engawa-error': 'SERVICE_TIMEOUT' } } })
  t.ok(performance.now() - from > 200)
})

t.test('a hostile answer is no answer', async (t) => {
  const { port, service } = await smallEdge(t, () => {})
  for (const bytes of [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    'HTTP/1.1 200 OK\nX: y\n\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    'HTTP/1.1 099 Odd\r\n\r\n',
    'SSH-2.0-OpenSSH\r\n',
  ]) {
    service.removeAllListeners('request')
    service.on('request', (request) => request.socket.end(bytes))
    t.match(
      await get(port),
      { answer: { statusCode: 502, headers: { 'engawa-error': 'SERVICE_BROKE' } } },
      bytes.slice(0, 60),
    )
  }
})

t.test('a visitor who does not read stops the service, not the edge', async (t) => {
  let written = 0
  const { port, link } = await smallEdge(t, (_request, response) => {
    const chunk = Buffer.alloc(256 * 1024)
    const pour = (): void => {
      while (written < 1024 * 1024 * 1024) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once('drain', pour)
      }
    }
    pour()
  })
  const visitor = connect(port, '127.0.0.1')
  visitor.pause()
  visitor.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  await stoodStill(() => written)
  t.ok(written < 64 * 1024 * 1024, `${written} bytes left the service`)
  t.ok((link.streams[0]?.received ?? 0) < 64 * 1024 * 1024)
  visitor.destroy()
})

t.test('large bodies pass both ways', async (t) => {
  const MANY = 32
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  const { port } = await smallEdge(t, (request, response) => request.pipe(response))
  const asked = request({ port, host: '127.0.0.1', method: 'POST', headers: { host: HOST } })
  let count = 0
  const counted = async (): Promise<void> => {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    for await (const part of answer) count += (part as Buffer).length
  }
  const answered = counted()
  for (let sent = 0; sent < MANY; sent++) if (!asked.write(chunk)) await once(asked, 'drain')
  asked.end()
  await answered
  t.equal(count, MANY * chunk.length)
})

t.test('a request is held while the agent is away, and goes on when it is back', async (t) => {
  const { port, link, table, tunnel } = await smallEdge(t, (_request, response) => response.end('back'))
  tunnel.live = undefined
  t.match(await get(port), {
    answer: { statusCode: 503, headers: { 'engawa-error': 'AGENT_AWAY', 'retry-after': /\d/ } },
  })
  table.holding.add(tunnel)
  table.waited = () => table.arrive(tunnel, { link, service: 7 })
  t.match(await get(port), { answer: { statusCode: 200 }, body: 'back' })
})

t.test('a request body that trickles in is refused', async (t) => {
  const { port } = await smallEdge(t, () => {}, { limits: { bodyGraceMs: 50 } })
  t.match(
    await talk(port, `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000\r\n\r\nx`),
    /408[^]*REQUEST_TIMEOUT/,
  )
})

t.test('the agent finds its own token at the public address, and nobody can guess it bit by bit', async (t) => {
  const { port, table, tunnel } = await smallEdge(t, (request, response) => response.end(`service ${request.url}`))
  table.tunnels[0] = Object.assign(tunnel, { check: 'TOKEN' })
  t.match(await get(port, { path: '/.well-known/engawa/TOKEN' }), { body: 'TOKEN', answer: { statusCode: 200 } })
  t.match(await get(port, { path: '/.well-known/engawa/OTHER' }), { body: 'service /.well-known/engawa/OTHER' })
})

for (const [name, line, framing] of [
  ['counted', 'HTTP/1.1', 'Connection: close\r\nContent-Length: 8388608'],
  ['chunked', 'HTTP/1.1', 'Connection: close\r\nTransfer-Encoding: chunked'],
  ['of HTTP/1.0', 'HTTP/1.0', 'Content-Length: 8388608'],
] as const) {
  t.test(`a last answer that comes before the end of a body, ${name}, is not lost to a reset`, async (t) => {
    const { port } = await smallEdge(t, (_request, response) => response.writeHead(413).end('too much'))
    const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const ended = once(visitor, 'end')
    const all = collect(visitor)
    visitor.write(`POST / ${line}\r\nHost: ${HOST}\r\n${framing}\r\n\r\n`)
    await ended
    const body = Buffer.alloc(8_388_608, 'x')
    visitor.end(
      name === 'chunked' ? Buffer.concat([Buffer.from('800000\r\n'), body, Buffer.from('\r\n0\r\n\r\n')]) : body,
    )
    t.match((await all).text, /^HTTP\/1\.1 413 [^]*too much/)
    t.equal(visitor.errored, null)
  })
}

t.test('a half-closed visitor still gets its answer', async (t) => {
  const { port } = await smallEdge(t, (_request, response) => setTimeout(() => response.end('late'), 50))
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  visitor.end(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  t.match((await collect(visitor)).text, /200 OK[^]*late/)
})
