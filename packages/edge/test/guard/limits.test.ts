import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { NOWHERE } from '@engawa/shared/wire/opening'
import t, { type Test } from 'tap'
import { LIMITS } from '../../src/limits.ts'
import { collect, deserted, smallEdge, talk } from '../support/edge.ts'
import { gate } from '../support/gate.ts'
import { turns } from '../support/manual-clock.ts'
import { secureEdge } from '../support/secure-edge.ts'

const HOST = 'Host: blog.example.com\r\n'
const CLOSE = 'Connection: close\r\n'
const ask = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\n${HOST}${CLOSE}${fields}\r\n`
const STATUS = /^HTTP\/1\.1 (\d{3})/

function statusOf(text: string): number {
  return Number(STATUS.exec(text)?.[1])
}

function manyFields(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`x${at}`, 'y']))
}

function takeAll(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('end', () => response.end('ok'))
}

/** Where each setting is put to the test, by the beginning of a title. A setting without one fails below. */
const TESTED: Readonly<Record<string, readonly [file: string, title: string]>> = {
  connections: ['guard/limits', 'connections'],
  'perAddress.connections': ['listen/http', 'more connections than an address may have are told so'],
  'perAddress.newPerSecond': ['guard/limits', 'perAddress.newPerSecond'],
  'perAddress.burst': ['guard/limits', 'perAddress.burst'],
  unpeekedSockets: ['listen/tls', 'too many silent sockets'],
  handshakeMs: ['guard/limits', 'handshakeMs'],
  requestHeadMs: ['listen/http', 'a hundred clients that never finish their head'],
  requestHeadBytes: ['guard/limits', 'requestHeadBytes'],
  requestFields: ['guard/limits', 'requestFields'],
  requestTargetBytes: ['guard/limits', 'requestTargetBytes'],
  bodyBytesPerSecond: ['guard/limits', 'bodyBytesPerSecond'],
  bodyGraceMs: ['forward/http', 'a request body that trickles in is refused'],
  http2IdleMs: ['listen/http2', 'a request in which nothing moves ends after its time, gRPC goes on'],
  http2Streams: ['listen/http2', 'limits: streams at once'],
  http2RequestsPerAddress: ['listen/http2', 'requests of one address over HTTP/2 are counted on all its connections'],
  http2ResetsPerSecond: ['guard/limits', 'http2ResetsPerSecond'],
  http2ResetBurst: ['listen/http2', 'limits: streams at once, size of the head, rapid resets'],
  keepAliveIdleMs: ['listen/http', 'a kept connection without a request ends after its idle time'],
  responseHeadBytes: ['guard/limits', 'responseHeadBytes'],
  interimResponses: ['guard/limits', 'interimResponses'],
  responseHeadMs: ['forward/http', 'the service has its time to answer'],
  memoryBusyPercent: ['guard/memory', 'under pressure requests get 503'],
  memoryFullPercent: ['guard/memory', 'under pressure requests get 503, at last connections too'],
  'held.forMs': ['guard/limits', 'held.forMs'],
  'held.requests': ['guard/limits', 'held.requests'],
  'held.bytes': ['guard/limits', 'held.bytes'],
  'udp.flows': ['guard/flow-door', 'where every flow is assured a new one is refused'],
  'udp.flowsPerAddress': ['guard/flow-door', 'past the flows of one address'],
  'udp.idleMs': ['listen/udp', 'an idle flow is closed'],
  'carriers.pending': ['listen/pending', 'a full house'],
  'carriers.pendingPerAddress': ['listen/pending', 'the silent make room'],
  'carriers.waiting': ['listen/pending', 'the line is bounded'],
  'carriers.waitingPerAddress': ['listen/pending', 'the line is bounded'],
  'carriers.handshakeMs': ['listen/agents', 'a silent carrier is put out when its time is over'],
  'carriers.handshakeBytes': ['listen/agents', 'a stranger who sends and sends is cut off'],
  'certificates.ordersPerHour': ['tls/acme/keeper', '200 names: 20 orders an hour'],
  'certificates.ordersPerNamePerHour': ['tls/acme/keeper', 'a CA that fails for a day'],
  'perAgent.names': ['tunnel/registry', 'names and ports per agent are limited'],
  'perAgent.ports': ['tunnel/registry', 'names and ports per agent are limited'],
  'perAgent.streams': ['guard/limits', 'perAgent.streams'],
  'perAgent.messagesPerSecond': ['guard/limits', 'perAgent.messagesPerSecond'],
  'perAgent.messageBurst': ['guard/limits', 'perAgent.messagesPerSecond and messageBurst'],
  'perAgent.bufferBytes': ['guard/limits', 'perAgent.bufferBytes'],
  'perAgent.carriers': ['tunnel/hostile', 'a session has so many carriers and no more'],
}

function settingsOf(value: object, before = ''): string[] {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    typeof inner === 'object' && inner !== null ? settingsOf(inner, `${before}${name}.`) : [`${before}${name}`],
  )
}

t.test('each figure of limits has a test that is still there', async (t) => {
  t.strictSame(Object.keys(TESTED).toSorted(), settingsOf(LIMITS.parse(undefined)).toSorted())
  for (const [setting, [file, title]] of Object.entries(TESTED)) {
    const text = readFileSync(join(import.meta.dirname, '..', `${file}.test.ts`), 'utf8')
    t.ok(text.includes(title), `${setting}: ${file} ${title}`)
  }
})

t.test('requestTargetBytes: so long and no longer, over both versions', async (t) => {
  const limits = { requestTargetBytes: 100 }
  const { port } = await smallEdge(t, (_request, response) => response.end('ok'), { limits })
  const { visit } = await secureEdge(t, (_request, response) => response.end('ok'), limits)
  const session = await visit()
  for (const [length, status] of [
    [100, 200],
    [101, 414],
  ] as const) {
    const target = `/${'a'.repeat(length - 1)}`
    t.equal(statusOf(await talk(port, ask(target))), status)
    const [head] = (await once(session.request({ ':path': target }).resume(), 'response')) as [Record<string, unknown>]
    t.equal(head[':status'], status)
  }
})

t.test('requestHeadBytes: a head may be so large', async (t) => {
  const { port } = await smallEdge(t, (_request, response) => response.end('ok'), {
    limits: { requestHeadBytes: 2048 },
  })
  t.equal(statusOf(await talk(port, ask('/', `X: ${'y'.repeat(1800)}\r\n`))), 200)
  t.equal(statusOf(await talk(port, ask('/', `X: ${'y'.repeat(2100)}\r\n`))), 431)
})

t.test('requestFields: a head may have so many, over both versions', async (t) => {
  const limits = { requestFields: 10 }
  const { port } = await smallEdge(t, (_request, response) => response.end('ok'), { limits })
  // Host and Connection are two.
  t.equal(statusOf(await talk(port, ask('/', 'a: b\r\n'.repeat(8)))), 200)
  t.equal(statusOf(await talk(port, ask('/', 'a: b\r\n'.repeat(9)))), 431)
  const { visit } = await secureEdge(t, (_request, response) => response.end('ok'), limits)
  const session = await visit()
  const [head] = (await once(session.request(manyFields(8)).resume(), 'response')) as [Record<string, unknown>]
  t.equal(head[':status'], 200)
  const refused = session.request(manyFields(20)).resume()
  refused.on('error', () => {})
  const outcome = await new Promise((resolve) => {
    refused.once('response', (said: Record<string, unknown>) => resolve(said[':status']))
    refused.once('close', () => resolve(refused.rstCode))
  })
  t.ok(outcome === 431 || outcome === constants.NGHTTP2_ENHANCE_YOUR_CALM, String(outcome))
})

t.test('connections: so many in all, from whatever addresses, and then 503 at once', async (t) => {
  const { port, admission } = await smallEdge(t, () => {}, { limits: { connections: 3 } })
  const inside = [1, 2, 3].map((last) => connect({ port, host: '127.0.0.1', localAddress: `127.0.1.${last}` }))
  await Promise.all(inside.map((socket) => once(socket, 'connect')))
  while (admission.door.total < 3) await new Promise(setImmediate)
  t.match(
    (await collect(connect({ port, host: '127.0.0.1', localAddress: '127.0.1.4' }))).text,
    /^HTTP\/1.1 503 [^]*EDGE_BUSY/,
  )
  for (const socket of inside) socket.destroy()
  await deserted(admission)
  const after = connect({ port, host: '127.0.0.1', localAddress: '127.0.1.4' })
  await once(after, 'connect')
  while (admission.door.total < 1) await new Promise(setImmediate)
  after.destroy()
})

t.test(
  'perAddress.newPerSecond and perAddress.burst: over HTTP and TLS alike, by address and IPv6 network',
  async (t) => {
    // One new one in 1,000 s: whoever has used up the burst stays out for this test.
    const perAddress = { connections: 100, newPerSecond: 0.001, burst: 3 }
    const trustedProxies = ['127.0.0.1']
    const { port } = await smallEdge(t, (_request, response) => response.end('ok'), {
      limits: { perAddress },
      trustedProxies,
    })
    /** As a load balancer tells of a visitor. */
    const visit = async (family: 4 | 6, address: string): Promise<number> => {
      const own = family === 6 ? '2001:db8::f' : '192.0.2.15'
      return statusOf(await talk(port, `PROXY TCP${family} ${address} ${own} 5 80\r\n${ask('/')}`))
    }
    const statuses = async (addresses: readonly string[]): Promise<number[]> => {
      const found: number[] = []
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      for (const address of addresses) found.push(await visit(address.includes(':') ? 6 : 4, address))
      return found
    }
    t.strictSame(await statuses(['203.0.113.1', '203.0.113.1', '203.0.113.1', '203.0.113.1']), [200, 200, 200, 429])
    t.strictSame(await statuses(['203.0.113.2']), [200], 'its neighbour')
    const network = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:1:a:b:c:d', '2001:db8:0:1::3']
    t.strictSame(await statuses(network), [200, 200, 200, 429], 'a /64 is one')
    t.strictSame(await statuses(['2001:db8:0:2::1']), [200], 'the next /64')

    const secure = await secureEdge(t, (_request, response) => response.end('ok'), { perAddress })
    const greet = async (): Promise<boolean> => {
      const socket = connectTls({
        port: secure.port,
        host: '127.0.0.1',
        servername: 'blog.example.com',
        rejectUnauthorized: false,
      })
      socket.on('error', () => {})
      const opened = await new Promise<boolean>((resolve) => {
        socket.once('secureConnect', () => resolve(true))
        socket.once('close', () => resolve(false))
      })
      socket.destroy()
      return opened
    }
    t.strictSame([await greet(), await greet(), await greet(), await greet()], [true, true, true, false])
  },
)

t.test('handshakeMs: who stops in the middle of TLS is put out', async (t) => {
  const { port } = await secureEdge(t, () => {}, { handshakeMs: 500 })
  const hello = await new Promise<Buffer>((resolve) => {
    const server = createTcpServer((socket: Socket) => {
      socket.on('error', () => {})
      socket.once('data', (bytes: Buffer) => {
        resolve(bytes)
        socket.destroy()
        server.close()
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const { port: at } = server.address() as { port: number }
      connectTls({ port: at, host: '127.0.0.1', servername: 'blog.example.com' }).on('error', () => {})
    })
  })
  for (const [name, bytes, answered] of [
    ['half a hello', hello.subarray(0, 20), false],
    ['a hello and nothing after it', hello, true],
  ] as const) {
    const from = performance.now()
    const socket = connect(port, '127.0.0.1')
    socket.write(bytes)
    const { text } = await collect(socket)
    t.equal(text.length > 0, answered, name)
    t.ok(performance.now() - from >= 150, `${name}: it has its time`)
  }
})

t.test('bodyBytesPerSecond: a body that comes slower is refused, at 0 none is', async (t) => {
  const slowly = async (bodyBytesPerSecond: number): Promise<string> => {
    const { port } = await smallEdge(t, takeAll, { limits: { bodyBytesPerSecond, bodyGraceMs: 50 } })
    const visitor = connect(port, '127.0.0.1')
    const heard = collect(visitor)
    visitor.write(`POST / HTTP/1.1\r\n${HOST}${CLOSE}Content-Length: 40\r\n\r\n`)
    const timer = setInterval(() => void (visitor.writable && visitor.write('x')), 10)
    const { text } = await heard
    clearInterval(timer)
    return text
  }
  t.match(await slowly(1_000_000), /^HTTP\/1.1 408 [^]*REQUEST_TIMEOUT/)
  t.match(await slowly(0), /^HTTP\/1.1 200/)
})

t.test('http2ResetsPerSecond: past the burst as many as come back in time are forgiven', async (t) => {
  const forgiving = { http2ResetBurst: 1, http2ResetsPerSecond: 1_000_000 }
  const { visit } = await secureEdge(
    t,
    (request, response) => void (request.url === '/' && response.end('ok')),
    forgiving,
  )
  const session = await visit()
  for (let count = 0; count < 50; count++) {
    const stream = session.request({ ':path': '/never' })
    stream.on('error', () => {})
    // Node sends nothing of a stream that is closed in the turn of its making.
    await new Promise(setImmediate)
    stream.close(constants.NGHTTP2_CANCEL)
    await once(stream, 'close')
  }
  const [head] = (await once(session.request({ ':path': '/' }).resume(), 'response')) as [Record<string, unknown>]
  t.equal(head[':status'], 200)
})

t.test('responseHeadBytes: the head of an answer may be so large', async (t) => {
  const { port } = await smallEdge(
    t,
    (request, response) => response.writeHead(200, { x: 'y'.repeat(Number(request.url?.slice(1))) }).end('ok'),
    { limits: { responseHeadBytes: 2048 } },
  )
  t.equal(statusOf(await talk(port, ask('/1500'))), 200)
  t.match(await talk(port, ask('/2100')), /^HTTP\/1.1 502 [^]*SERVICE_BROKE/)
  const usual = await smallEdge(t, (request, response) =>
    response.writeHead(200, { x: 'y'.repeat(Number(request.url?.slice(1))) }).end('ok'),
  )
  t.equal(statusOf(await talk(usual.port, ask('/32000'))), 200, 'by default 32 KiB')
  t.equal(statusOf(await talk(usual.port, ask('/33000'))), 502)
})

t.test('interimResponses: so many, by default ten, and then no answer is believed', async (t) => {
  for (const [most, limits] of [
    [2, { interimResponses: 2 }],
    [10, {}],
  ] as const) {
    const { port } = await smallEdge(
      t,
      (request, response) => {
        for (let count = Number(request.url?.slice(1)); count > 0; count--) response.writeProcessing()
        response.end('ok')
      },
      { limits },
    )
    const passed = await talk(port, ask(`/${most}`))
    t.equal(passed.match(/^HTTP\/1\.1 102/gm)?.length, most)
    t.match(passed, /^HTTP\/1\.1 200/m)
    t.match(await talk(port, ask(`/${most + 1}`)), /^HTTP\/1\.1 502 [^]*SERVICE_BROKE/m)
  }
})

t.test('held.forMs, held.requests and held.bytes: who may wait for an agent', async (t) => {
  const edge = gate(t, { config: 'limits: { held: { forMs: 3000, requests: 3, bytes: 100 } }' })
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  await home.cut()
  const tunnel = edge.registry.all().find(({ name }) => name === 'blog')
  if (tunnel === undefined) throw new Error('no tunnel')
  const states: string[] = []
  const wait = (bytes: number): void => {
    const at = states.push('waiting') - 1
    void edge.registry.whenLive(tunnel, { bytes }).then(
      () => (states[at] = 'live'),
      (error: { code: string }) => (states[at] = error.code),
    )
  }
  for (const bytes of [60, 40, 1, 0, 0]) wait(bytes)
  await turns()
  t.strictSame(states, ['waiting', 'waiting', 'AGENT_AWAY', 'waiting', 'AGENT_AWAY'], '101 bytes, and a fourth')
  await edge.clock.advance(2999)
  t.equal(states[0], 'waiting')
  await edge.clock.advance(1)
  t.strictSame(new Set(states), new Set(['AGENT_AWAY']))
})

/** How many streams an agent's session takes; the agent itself wants 100. */
async function streamsUnder(t: Test, config: string): Promise<number> {
  const edge = gate(t, { config })
  const home = await edge.agent('home').login()
  await home.bind({ name: 'blog' })
  const live = edge.registry.all()[0]?.live
  const opening = { service: 1, portIndex: 0, protocol: 'http', visitor: NOWHERE, public: NOWHERE } as const
  let opened = 0
  try {
    for (; opened < 1000; opened++) live?.link.open(opening)
  } catch (error) {
    t.match(error, { code: 'SESSION_FULL' })
  }
  return opened
}

t.test('perAgent.streams: so many at once on one session', async (t) => {
  t.equal(await streamsUnder(t, ''), 100)
  t.equal(await streamsUnder(t, 'limits: { perAgent: { streams: 7 } }'), 7)
})

t.test('perAgent.bufferBytes: no more streams than there is room for', async (t) => {
  t.equal(
    await streamsUnder(t, 'limits: { perAgent: { bufferBytes: 1048576 } }'),
    32,
    '16 KiB each, and as much to grow',
  )
})

t.test('perAgent.messagesPerSecond and messageBurst: a flood ends its session, a burst does not', async (t) => {
  const edge = gate(t, { config: 'limits: { perAgent: { messagesPerSecond: 10, messageBurst: 20 } }' })
  const [good, evil] = [await edge.agent('good').login(), await edge.agent('evil').login()]
  const say = async (agent: typeof good, count: number): Promise<void> => {
    for (let n = 0; n < count; n++)
      agent.pump?.session.sendMessage(Buffer.from(JSON.stringify({ type: 'release', id: n + 1, name: 'x' })))
    await turns(50)
  }
  await say(good, 20)
  t.equal(good.ended, undefined)
  await edge.clock.advance(1000)
  await say(good, 10)
  t.equal(good.ended, undefined, 'ten more a second later')
  await say(evil, 21)
  t.match(evil.ended, /^MESSAGE_FLOOD/)
  t.equal(good.ended, undefined)
})
