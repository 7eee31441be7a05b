import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { collect, smallEdge, talk, until } from '../support/edge.ts'

const HOST = 'blog.example.com'
const ASK = `GET /chat HTTP/1.1\r\nHost: ${HOST}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n`

t.test('a WebSocket talks through, both ways, and closes in order', async (t) => {
  const { port, service, link, tunnel } = await smallEdge(t, () => {})
  const sockets = new WebSocketServer({ server: service })
  sockets.on('connection', (socket, request) => {
    socket.send(String(request.headers['x-forwarded-for']))
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: { host: HOST } })
  const [hello] = await once(client, 'message')
  t.equal(String(hello), '127.0.0.1')
  const big = Buffer.alloc(3_000_000, 'x')
  client.send(big)
  const [echo] = (await once(client, 'message')) as [Buffer]
  t.ok(echo.equals(big))
  const summarized = once(link, 'summary')
  client.close(4000, 'bye')
  const [code] = await once(client, 'close')
  t.equal(code, 4000)
  await summarized
  t.match(link.summaries, [{ status: 101, path: '/chat' }])
  t.ok(tunnel.traffic.received > big.length && tunnel.traffic.sent > big.length)
  t.equal(tunnel.traffic.open, 0)
})

t.test('nothing after the request reaches the service before its 101', async (t) => {
  const { port, service } = await smallEdge(t, () => {})
  const upgraded = once(service, 'upgrade')
  const visitor = connect(port, '127.0.0.1')
  visitor.write(`${ASK}EARLY`)
  const [request, socket, head] = (await upgraded) as [IncomingMessage, Socket, Buffer]
  t.equal(request.headers.upgrade, 'websocket')
  t.equal(head.length, 0)
  let early = ''
  socket.on('data', (bytes) => (early += bytes.toString()))
  visitor.write('LATER')
  // A whole round trip on another connection: had they been passed on, they would be here.
  await talk(port, 'GET * HTTP/1.1\r\n\r\n')
  t.equal(early, '')
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nFIRST')
  t.match(
    await until(visitor, (got) => got.includes('FIRST')),
    /^HTTP\/1.1 101 Switching Protocols\r\n[^]*Upgrade: websocket\r\n\r\nFIRST$/,
  )
  if (early.length < 10) await until(socket, () => early.length >= 10)
  t.equal(early, 'EARLYLATER')
  socket.end()
  visitor.end()
  await collect(visitor)
})

t.test('a service that does not switch answers like to any request', async (t) => {
  const { port, service } = await smallEdge(t, () => {})
  service.on('upgrade', (_request, socket: Socket) => {
    // The edge has no use for the connection after that, and may say so at once.
    socket.on('error', () => {})
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  const answer = await talk(port, `${ASK}GET /smuggled HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
  t.match(answer, /^HTTP\/1.1 403 Forbidden\r\n[^]*connection: close\r\n\r\nno$/i)
})

t.test('a service may not switch to what nobody asked for', async (t) => {
  const { port, service } = await smallEdge(t, () => {})
  service.on('upgrade', (_request, socket: Socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Odd\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n')
  })
  t.match(await talk(port, ASK), /^HTTP\/1.1 502 [^]*SERVICE_BROKE/)
})

t.test('without an agent, an upgrade is answered like any request', async (t) => {
  const { port, tunnel } = await smallEdge(t, () => {})
  tunnel.live = undefined
  t.match(await talk(port, ASK), /^HTTP\/1.1 503 [^]*AGENT_AWAY/)
})

t.test('upgrades that would smuggle are plain requests', async (t) => {
  const seen: unknown[] = []
  const { port } = await smallEdge(t, (request, response) => {
    seen.push(request.headers.upgrade, request.headers.connection, request.headers['http2-settings'])
    request.resume().on('end', () => response.end('plain'))
  })
  for (const fields of [
    'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    'Connection: Upgrade, close\r\nUpgrade: TLS/1.3\r\n\r\n',
    'Connection: Upgrade, close\r\nUpgrade: websocket, h2c\r\n\r\n',
    'Connection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc',
  ]) {
    t.match(await talk(port, `GET / HTTP/1.1\r\nHost: ${HOST}\r\n${fields}`), /200 OK[^]*plain/, fields)
  }
  t.strictSame(new Set(seen), new Set([undefined, 'keep-alive']))
})

t.test('a service that is cut cuts the visitor, and the other way round', async (t) => {
  const { port, service, link } = await smallEdge(t, () => {})
  const switched = new Promise<Socket>((resolve) => {
    service.on('upgrade', (_request, socket: Socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', () =>
        resolve(socket),
      )
    })
  })
  const visitor = connect(port, '127.0.0.1')
  visitor.write(ASK)
  await until(visitor, (got) => got.includes('101'))
  ;(await switched).resetAndDestroy()
  t.ok((await collect(visitor)).reset)
  const other = connect(port, '127.0.0.1')
  other.write(ASK)
  await until(other, (got) => got.includes('101'))
  const reset = once(link, 'reset')
  other.resetAndDestroy()
  await reset
  t.equal(link.streams.at(-1)?.resetBy, 'CANCELLED')
})
