import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { acceptOf } from '../../src/forward/switched.ts'
import { listen } from '../support/edge.ts'
import { secureEdge } from '../support/secure-edge.ts'

const ASK = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', 'sec-websocket-version': '13' }

/** Asks for a WebSocket; the answer and the stream. */
async function open(
  session: ClientHttp2Session,
  fields = {},
): Promise<{ head: IncomingHttpHeaders; stream: ClientHttp2Stream; closed: Promise<unknown> }> {
  const stream = session.request({ ...ASK, ...fields }, { endStream: false })
  stream.on('error', () => {})
  const closed = new Promise((resolve) => stream.once('close', resolve))
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  return { head, stream, closed }
}

async function ready(visit: () => Promise<ClientHttp2Session>): Promise<ClientHttp2Session> {
  const session = await visit()
  if (!session.remoteSettings.enableConnectProtocol) await once(session, 'remoteSettings')
  return session
}

/** A short text in one masked frame, and what a server's unmasked ones are read as. RFC 6455 §5.2 */
function frame(payload: Uint8Array, opcode = 1): Buffer {
  const mask = [1, 2, 3, 4]
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))
  return Buffer.from([0x80 | opcode, 0x80 | masked.length, ...mask, ...masked])
}

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'

t.test('a WebSocket over HTTP/2 reaches a service that knows only those of HTTP/1.1', async (t) => {
  const { visit, service, tunnel, entries } = await secureEdge(t, () => {})
  const sockets = new WebSocketServer({ server: service, handleProtocols: () => 'soap' })
  let asked: IncomingMessage | undefined
  sockets.on('connection', (socket, request) => {
    asked = request
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const session = await ready(visit)
  t.equal(session.remoteSettings.enableConnectProtocol, true)
  const { head, stream } = await open(session, {
    'sec-websocket-protocol': 'soap',
    'sec-websocket-key': 'x',
    cookie: 'a=b',
  })
  t.match(head, {
    ':status': 200,
    'sec-websocket-protocol': 'soap',
    'sec-websocket-accept': undefined,
    upgrade: undefined,
  })
  t.match(asked, {
    method: 'GET',
    url: '/chat',
    headers: { cookie: 'a=b', via: '2.0 engawa', 'x-forwarded-proto': 'https' },
  })
  stream.write(frame(Buffer.from('engawa')))
  const [echo] = (await once(stream, 'data')) as [Buffer]
  t.equal(echo.subarray(2).toString(), 'engawa')
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.on('data', () => {})
  stream.write(frame(Buffer.from([3, 232]), 8))
  stream.once('end', () => stream.end())
  await closed
  t.equal(stream.rstCode, 0)
  while (entries.length === 0) await new Promise(setImmediate)
  t.match(entries, [{ method: 'GET', target: '/chat', status: 101, by: 'service' }])
  t.equal(tunnel.traffic.open, 0)
})

t.test('a 101 with a field that should be there once', async (t) => {
  const { visit, service } = await secureEdge(t, () => {})
  service.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    const accept = acceptOf(String(request.headers['sec-websocket-key']))
    socket.on('error', () => {})
    socket.end(`${SWITCHED}Sec-WebSocket-Accept: ${accept}\r\nETag: "a"\r\nETag: "b"\r\n\r\n`)
  })
  const { head } = await open(await ready(visit))
  t.match(head, { ':status': 200, etag: '"a"' })
})

t.test('not one byte reaches the service before its 101', async (t) => {
  const { visit, service, link } = await secureEdge(t, () => {})
  const upgraded = once(service, 'upgrade')
  const session = await ready(visit)
  const stream = session.request(ASK, { endStream: false })
  stream.on('error', () => {})
  stream.write('EARLY')
  const [request, socket, first] = (await upgraded) as [IncomingMessage, Socket, Buffer]
  let early = first.toString()
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => {
    early += bytes.toString()
  })
  stream.write('LATER')
  // A whole round trip on the same connection: had they been passed on, they would be here.
  await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))))
  t.equal(early, '')
  const { acceptOf } = await import('../../src/forward/switched.ts')
  socket.write(`${SWITCHED}Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'] ?? '')}\r\n\r\nFIRST`)
  const [said] = (await once(stream, 'data')) as [Buffer]
  t.equal(said.toString(), 'FIRST')
  while (early.length < 10) await once(socket, 'data')
  t.equal(early, 'EARLYLATER')
  const reset = once(link, 'reset')
  Object.assign(stream, { _final: (done: () => void) => done() })
  stream.close(constants.NGHTTP2_CANCEL)
  await reset
  t.equal(link.streams[0]?.resetBy, 'CANCELLED', 'a cut is passed on as one')
})

t.test('a service that is cut cuts the visitor, one that ends lets it end', async (t) => {
  const { visit, service } = await secureEdge(t, () => {})
  const { acceptOf } = await import('../../src/forward/switched.ts')
  service.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {})
    socket.write(`${SWITCHED}Sec-WebSocket-Accept: ${acceptOf(request.headers['sec-websocket-key'] ?? '')}\r\n\r\n`)
    socket.once('data', (bytes: Buffer) => {
      if (bytes.toString() === 'cut') return socket.resetAndDestroy()
      socket.end('bye')
      // Half-closed: what the visitor says still counts.
      return socket.on('data', (more: Buffer) => service.emit('more', more.toString()))
    })
  })
  const session = await ready(visit)
  const cut = await open(session)
  cut.stream.resume()
  cut.stream.write('cut')
  await cut.closed
  t.equal(cut.stream.rstCode, constants.NGHTTP2_CANCEL)
  const half = await open(session)
  half.stream.resume()
  half.stream.write('end')
  await once(half.stream, 'end')
  const more = once(service, 'more')
  half.stream.end('more')
  t.strictSame(await more, ['more'])
})

t.test('a service that does not switch answers like to any request, but never with success', async (t) => {
  const answers: Record<string, string> = {
    '/403': 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
    '/200': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno',
    '/other': 'HTTP/1.1 101 Odd\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n',
    '/proofless': `${SWITCHED}\r\n`,
    '/wrong': `${SWITCHED}Sec-WebSocket-Accept: x\r\n\r\n`,
  }
  const { visit, service } = await secureEdge(t, () => {})
  service.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    socket.on('error', () => {})
    socket.write(answers[request.url ?? ''] ?? '')
  })
  const session = await ready(visit)
  for (const [path, status] of [
    ['/403', 403],
    ['/200', 502],
    ['/other', 502],
    ['/proofless', 502],
    ['/wrong', 502],
  ] as const) {
    const { head, stream, closed } = await open(session, { ':path': path })
    t.equal(head[':status'], status, path)
    stream.resume()
    await closed
  }
})

t.test('other protocols, lengths and the like are malformed', async (t) => {
  const { visit, link } = await secureEdge(t, () => {})
  const session = await ready(visit)
  for (const fields of [{ ':protocol': 'connect-udp' }, { 'content-length': '1' }, { ':method': 'GET' }]) {
    const stream = session.request({ ...ASK, ...fields }, { endStream: false })
    stream.on('error', () => {})
    await new Promise((resolve) => stream.once('close', resolve))
    t.equal(stream.rstCode, constants.NGHTTP2_PROTOCOL_ERROR, JSON.stringify(fields))
  }
  t.equal(link.streams.length, 0)
})

t.test('from HTTP/2 to HTTP/2', async (t) => {
  const { visit, link, tunnel } = await secureEdge(t, () => {})
  const h2c = createServer({ settings: { enableConnectProtocol: true } })
  h2c.on('session', (of) => of.on('error', () => {}))
  h2c.on('stream', (stream: ServerHttp2Stream, head) => {
    stream.on('error', () => {})
    stream.respond({
      ':status': 200,
      'x-key': String(head['sec-websocket-key']),
      'x-protocol': String(head[':protocol']),
    })
    stream.pipe(stream)
  })
  link.lead(await listen(t, h2c))
  tunnel.h2c = true
  const { head, stream } = await open(await ready(visit))
  t.match(head, { ':status': 200, 'x-key': 'undefined', 'x-protocol': 'websocket' })
  stream.write('there')
  const [back] = (await once(stream, 'data')) as [Buffer]
  t.equal(back.toString(), 'there')
  stream.resume()
  stream.end()
  await new Promise((resolve) => stream.once('close', resolve))
  t.equal(stream.rstCode, 0)
})
