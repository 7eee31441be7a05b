import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { createUpgrader, SUBPROTOCOL, upgrade } from '../../src/carrier/upgrade.ts'
import { WebSocketCarrier } from '../../src/carrier/websocket.ts'
import { codeOf } from '../../src/errors.ts'
import { CARRIER_HEADROOM } from '../../src/wire/limits.ts'

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** An edge's end for every socket that is upgraded. */
async function ourEdge(t: Test, taken: (carrier: WebSocketCarrier) => void): Promise<number> {
  const upgrader = createUpgrader()
  const sockets = new Set<Socket>()
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    upgrader.take(socket, ({ socket: upgraded, head }) => {
      taken(new WebSocketCarrier(upgraded, { role: 'edge', mask: 'random', head }))
    })
  })
  return listen(t, server)
}

async function ourAgent(port: number, mask: 'zero' | 'random'): Promise<WebSocketCarrier> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const { socket: upgraded, head } = await upgrade(socket, 'edge')
  return new WebSocketCarrier(upgraded, { role: 'agent', mask, head })
}

/** Resolves once `bytes` bytes have come, with their SHA-256. */
function collect(carrier: WebSocketCarrier, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  let left = bytes
  return new Promise((resolve, reject) => {
    carrier.onClosed = (error) => reject(error ?? new Error('closed'))
    carrier.onBytes = (slice) => {
      hash.update(slice)
      left -= slice.length
      if (left === 0) resolve(hash.digest('hex'))
    }
  })
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const SIZES = [1, 125, 126, 65_535, 65_536, 300_000]

t.test('a client of ws speaks to our edge side, both ways', async (t) => {
  const payload = randomBytes(SIZES.reduce((sum, size) => sum + size, 0))
  const { promise: taken, resolve } = Promise.withResolvers<WebSocketCarrier>()
  const port = await ourEdge(t, resolve)
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, [SUBPROTOCOL])
  await once(client, 'open')
  t.equal(client.protocol, SUBPROTOCOL)
  const carrier = await taken
  t.equal(carrier.remote.address, '127.0.0.1')

  carrier.sendText('hello')
  const [text, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
  t.equal(isBinary, false)
  t.equal(text.toString(), 'hello')
  client.send('answer')
  t.equal(await carrier.readText(), 'answer')

  const arrived = collect(carrier, payload.length)
  let at = 0
  for (const size of SIZES) client.send(payload.subarray(at, (at += size)))
  t.equal(await arrived, sha256(payload))

  const echoed: Buffer[] = []
  client.on('message', (data: Buffer) => echoed.push(data))
  carrier.send([payload.subarray(0, 10), payload.subarray(10, 20)])
  carrier.send([payload.subarray(20, 100_000), payload.subarray(100_000)])
  client.ping('are you there')
  const [pong] = (await once(client, 'pong')) as [Buffer]
  t.equal(pong.toString(), 'are you there')
  while (echoed.length < 2) await once(client, 'message')
  t.equal(sha256(Buffer.concat(echoed)), sha256(payload))

  const closed = new Promise<Error | undefined>((told) => {
    carrier.onClosed = told
  })
  client.close(1000)
  const [code] = (await once(client, 'close')) as [number]
  t.equal(code, 1000)
  t.equal(await closed, undefined)
})

for (const mask of ['zero', 'random'] as const) {
  t.test(`our agent side speaks to a server of ws, ${mask} mask`, async (t) => {
    const payload = randomBytes(400_000)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    await once(server, 'listening')
    t.teardown(() => server.close())
    const connected = once(server, 'connection') as Promise<[WebSocket]>
    const carrier = await ourAgent((server.address() as AddressInfo).port, mask)
    const [peer] = await connected
    carrier.sendText('first')
    const [text] = (await once(peer, 'message')) as [Buffer]
    t.equal(text.toString(), 'first')
    const arrived = collect(carrier, payload.length)
    peer.ping('x')
    peer.send(payload)
    t.equal(await arrived, sha256(payload))
    const messages: Buffer[] = []
    peer.on('message', (data: Buffer) => messages.push(data))
    carrier.send([payload.subarray(0, 5)])
    carrier.send([payload.subarray(5)])
    while (messages.length < 2) await once(peer, 'message')
    t.equal(sha256(Buffer.concat(messages)), sha256(payload), 'and what was given is not changed')
    const closed = once(peer, 'close') as Promise<[number]>
    carrier.close()
    t.equal((await closed)[0], 1000)
  })
}

for (const role of ['edge', 'agent'] as const) {
  t.test(`a payload with headroom goes out as one piece with its header: ${role}`, async (t) => {
    const room = randomBytes(CARRIER_HEADROOM + 300_000)
    const payload = room.subarray(CARRIER_HEADROOM)
    const wanted = sha256(payload)
    const coming = Promise.withResolvers<WebSocketCarrier>()
    const port = await ourEdge(t, coming.resolve)
    const agent = await ourAgent(port, 'zero')
    const edge = await coming.promise
    const [from, to] = role === 'edge' ? [edge, agent] : [agent, edge]
    const arrived = collect(to, payload.length)
    from.onBytes = () => undefined
    from.send([payload.subarray(0, 70_000)], CARRIER_HEADROOM)
    from.send([payload.subarray(70_000)])
    t.equal(await arrived, wanted)
    agent.destroy()
  })
}

t.test('both of our sides, bytes right behind the last text are kept', async (t) => {
  const payload = randomBytes(300_000)
  const port = await ourEdge(t, (carrier) => {
    carrier.sendText('welcome')
    carrier.onBytes = () => undefined
    carrier.send([payload])
    carrier.close()
  })
  const carrier = await ourAgent(port, 'zero')
  t.equal(await carrier.readText(), 'welcome')
  await new Promise(setImmediate)
  t.equal(await collect(carrier, payload.length), sha256(payload))
})

t.test('a message of the other kind ends the carrier [C3]', async (t) => {
  const ends: Promise<unknown>[] = []
  const port = await ourEdge(t, (carrier) => ends.push(carrier.readText().catch((error: unknown) => error)))
  const early = new WebSocket(`ws://127.0.0.1:${port}/`, [SUBPROTOCOL])
  await once(early, 'open')
  early.send(Buffer.of(1))
  t.equal((await once(early, 'close'))[0], 1003)
  t.equal(codeOf(await ends[0]), 'PROTOCOL_VIOLATION')

  const { promise: taken, resolve } = Promise.withResolvers<WebSocketCarrier>()
  const other = await ourEdge(t, resolve)
  const late = new WebSocket(`ws://127.0.0.1:${other}/`, [SUBPROTOCOL])
  await once(late, 'open')
  const carrier = await taken
  carrier.onBytes = () => undefined
  const closed = new Promise<Error | undefined>((told) => {
    carrier.onClosed = told
  })
  late.send('text')
  t.equal((await once(late, 'close'))[0], 1003)
  t.equal(codeOf(await closed), 'PROTOCOL_VIOLATION')
})

t.test('an unauthenticated peer may send 64 KiB, pings included', async (t) => {
  const port = await ourEdge(t, (carrier) => void carrier.readText().catch(() => undefined))
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, [SUBPROTOCOL])
  await once(client, 'open')
  client.on('error', () => undefined)
  // An error before it, of a ping that met a reset, is no matter.
  const closed = new Promise<number>((resolve) => client.once('close', resolve))
  for (let sent = 0; sent < 80 * 1024; sent += 125) client.ping(Buffer.alloc(125))
  const code = await closed
  t.ok(code === 1009 || code === 1006)
})

t.test('another path, another subprotocol or plain HTTP is no carrier', async (t) => {
  const port = await ourEdge(t, () => t.fail('taken'))
  for (const [path, protocol] of [
    ['/other', SUBPROTOCOL],
    ['/', 'chat'],
  ] as const) {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, [protocol])
    const [error] = (await once(client, 'error')) as [Error]
    t.match(error.message, '400')
  }
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  t.equal(answer.status, 426)
  await answer.text()
})

t.test('random bytes on an upgraded socket end it with a close code and nothing else', async (t) => {
  for (let round = 0; round < 30; round++) {
    const { promise: taken, resolve } = Promise.withResolvers<WebSocketCarrier>()
    const port = await ourEdge(t, resolve)
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const { socket: raw } = await upgrade(socket, 'edge')
    raw.on('error', () => undefined)
    const carrier = await taken
    carrier.onBytes = () => undefined
    const closed = new Promise<void>((told) => {
      carrier.onClosed = () => told()
    })
    raw.write(randomBytes(2000))
    raw.end()
    raw.resume()
    await closed
  }
})

t.test('a piece is told of when it is written, whatever its form: the next one is a record of its own', async (t) => {
  const { promise: taken, resolve } = Promise.withResolvers<WebSocketCarrier>()
  const agent = await ourAgent(await ourEdge(t, resolve), 'random')
  const edge = await taken
  const forms: readonly (readonly [Uint8Array[], number])[] = [
    [[randomBytes(20)], 0],
    [[randomBytes(50_000)], 0],
    [[new Uint8Array(50_000 + CARRIER_HEADROOM).subarray(CARRIER_HEADROOM)], CARRIER_HEADROOM],
    [[randomBytes(40_000), randomBytes(40_000)], 0],
  ]
  agent.onBytes = () => undefined
  edge.onBytes = () => undefined
  for (const carrier of [edge, agent]) {
    for (const [buffers, headroom] of forms) {
      const { promise: written, resolve: drained } = Promise.withResolvers<void>()
      carrier.onDrained = drained
      carrier.send(buffers, headroom, true)
      // oxlint-disable-next-line no-await-in-loop -- one after the other, that is the point
      await written
      t.equal(carrier.backlogBytes, 0)
    }
  }
  agent.destroy()
  edge.destroy()
})
