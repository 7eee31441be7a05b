import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import type { Carrier } from '../../src/carrier/carrier.ts'
import { dialCarrier } from '../../src/carrier/handshake-agent.ts'
import { type Admission, CarrierDoor, type Gatekeeper, type Outcome } from '../../src/carrier/handshake-edge.ts'
import type { Welcome } from '../../src/carrier/handshake-messages.ts'
import { EXPORTER_LABEL, proofOf, publicKeyOf, signatureOf, signedBytes } from '../../src/carrier/handshake-proof.ts'
import type { Trust } from '../../src/carrier/trust.ts'
import { upgrade } from '../../src/carrier/upgrade.ts'
import { WebSocketCarrier } from '../../src/carrier/websocket.ts'
import { type Code, codeOf, EngawaError } from '../../src/errors.ts'
import { makeTestEdge } from '../support/certificate.ts'

const edge = makeTestEdge()
const other = makeTestEdge()
const identity = createHash('sha256').update(edge.caPublicKey).digest()
const trust: Trust = { ca: edge.ca }
const key = generateKeyPairSync('ed25519').privateKey
const SERVERNAME = 'new.carrier.engawa.internal'
const session = randomBytes(16).toString('base64url')
const secret = randomBytes(32)
const LOGIN = { instance: randomBytes(16).toString('base64url'), maxStreams: 100, credit: 16_384, software: 'test' }
const ATTACH = { session, carrier: 2, lost: [[1, 77]] as const }
const WELCOME: Welcome = {
  agent: 'home',
  session,
  carrier: 1,
  generation: 7,
  graceMs: 120_000,
  maxStreams: 100,
  credit: 16_384,
  lost: [],
  members: [{ addresses: ['edge.example:443'] }],
}

interface World {
  readonly port: number
  readonly door: CarrierDoor
  readonly outcomes: Outcome[]
  /** Resolves with the next outcome. */
  readonly outcome: () => Promise<Outcome>
}

type Decisions = Partial<Pick<Gatekeeper, 'credentials' | 'login' | 'attach' | 'join'>>

const echo = (carrier: Carrier): void => {
  carrier.onBytes = (bytes) => carrier.send([Uint8Array.from(bytes)])
}

/** An edge's door on a port of its own. */
async function world(
  t: Test,
  decisions: Decisions = {},
  options: { timeoutMs?: number; plain?: true } = {},
): Promise<World> {
  const gatekeeper: Gatekeeper = {
    edge: identity,
    generation: 7,
    software: 'edge',
    credentials: () => ({ key: publicKeyOf(key), secret }),
    login: (): Admission => ({ welcome: { ...WELCOME, secret: secret.toString('base64url') }, start: echo }),
    attach: (body): Admission => ({ welcome: { ...WELCOME, carrier: body.carrier, lost: body.lost }, start: echo }),
    join: () => ({ agent: 'home', edge: identity.toString('base64url'), addresses: ['a:1'], ca: edge.ca }),
    ...decisions,
  }
  const { timeoutMs, plain } = options
  const door = new CarrierDoor({
    gatekeeper,
    tls: plain ? 'plain' : edge,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  const outcomes: Outcome[] = []
  const waiting: ((outcome: Outcome) => void)[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    door.accept(socket, (outcome) => {
      outcomes.push(outcome)
      waiting.shift()?.(outcome)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const outcome = (): Promise<Outcome> => new Promise((resolve) => waiting.push(resolve))
  return { port: (server.address() as AddressInfo).port, door, outcomes, outcome }
}

const at = (port: number, changed: { trust?: Trust; timeoutMs?: number; signal?: AbortSignal } = {}) => ({
  host: '127.0.0.1',
  port,
  servername: SERVERNAME,
  trust,
  ...changed,
})

async function codeFrom(promise: Promise<unknown>): Promise<Code | undefined> {
  try {
    await promise
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** Sends bytes through an admitted carrier and waits for their echo. */
async function echoes(carrier: Carrier): Promise<boolean> {
  const sent = randomBytes(100_000)
  const came: Uint8Array[] = []
  const whole = new Promise<void>((resolve, reject) => {
    let bytes = 0
    carrier.onClosed = () => reject(new Error('closed'))
    carrier.onBytes = (slice) => {
      came.push(Uint8Array.from(slice))
      bytes += slice.length
      if (bytes === sent.length) resolve()
    }
  })
  carrier.send([sent])
  await whole
  carrier.destroy()
  return sent.equals(Buffer.concat(came))
}

for (const by of ['ca', 'pin'] as const) {
  t.test(`a login by ${by} gets its welcome and a working carrier`, async (t) => {
    const { port, outcome } = await world(t)
    const done = outcome()
    const challenge = await dialCarrier(at(port, by === 'pin' ? { trust: { pin: identity } } : {}))
    t.equal(challenge.generation, 7)
    t.equal(challenge.software, 'edge')
    t.equal(challenge.remote.port, port)
    const { welcome, carrier } = await challenge.login(LOGIN, key)
    t.equal(welcome.agent, 'home')
    t.equal(welcome.secret, secret.toString('base64url'))
    t.ok(await echoes(carrier))
    t.same(await done, { done: 'login' })
  })
}

t.test('an attach carries what was lost both ways', async (t) => {
  const { port } = await world(t)
  const challenge = await dialCarrier(at(port))
  const { welcome, carrier } = await challenge.attach(ATTACH, key, secret)
  t.equal(welcome.carrier, 2)
  t.same(welcome.lost, [[1, 77]])
  t.equal(welcome.secret, undefined)
  t.ok(await echoes(carrier))
})

t.test('bytes that the edge sends right behind its welcome wait for the owner', async (t) => {
  const sent = randomBytes(200_000)
  const { port } = await world(t, {
    login: () => ({
      welcome: { ...WELCOME, secret: secret.toString('base64url') },
      start: (carrier) => {
        carrier.onBytes = () => undefined
        carrier.send([sent])
        carrier.close()
      },
    }),
  })
  const { carrier } = await (await dialCarrier(at(port))).login(LOGIN, key)
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  const came: Uint8Array[] = []
  const closed = new Promise<void>((resolve) => {
    carrier.onClosed = () => resolve()
  })
  carrier.onBytes = (slice) => came.push(Uint8Array.from(slice))
  await closed
  t.ok(sent.equals(Buffer.concat(came)))
})

t.test('a plain carrier, for the bench', async (t) => {
  const { port } = await world(t, {}, { plain: true })
  const challenge = await dialCarrier({ ...at(port), trust: 'plain' })
  t.ok(await echoes((await challenge.login(LOGIN, key)).carrier))
})

t.test('join', async (t) => {
  const asked: unknown[] = []
  const { port, outcome } = await world(t, {
    join: (body) => {
      asked.push(body)
      return { agent: 'home', edge: identity.toString('base64url'), addresses: ['edge.example:443'], ca: edge.ca }
    },
  })
  const done = outcome()
  const challenge = await dialCarrier(at(port, { trust: { pin: identity } }))
  const invitation = randomBytes(32).toString('base64url')
  const joined = await challenge.join({ secret: invitation, software: 'test' }, key)
  t.same(joined.addresses, ['edge.example:443'])
  t.equal(joined.ca, edge.ca)
  t.same(asked, [{ secret: invitation, software: 'test', key: publicKeyOf(key) }])
  t.same(await done, { done: 'join' })
})

t.test('a refusal reaches the agent with its code and its words', async (t) => {
  const { port, outcome } = await world(t, {
    login: () => {
      throw new EngawaError('REVOKED', 'home was revoked')
    },
    join: () => Promise.reject(new EngawaError('INVITATION_USED')),
    attach: () => {
      throw new TypeError('a secret of ours')
    },
  })
  const done = outcome()
  await t.rejects((await dialCarrier(at(port))).login(LOGIN, key), { code: 'REVOKED', message: 'home was revoked' })
  t.match(await done, { done: undefined, asked: 'login', error: { code: 'REVOKED' } })
  const joining = await dialCarrier(at(port))
  t.equal(
    await codeFrom(joining.join({ secret: randomBytes(32).toString('base64url'), software: '' }, key)),
    'INVITATION_USED',
  )
  await t.rejects((await dialCarrier(at(port))).attach(ATTACH, key, secret), { code: 'INTERNAL', message: 'INTERNAL' })
})

t.test('an attach to an unknown session leaves one login on the same carrier [H5]', async (t) => {
  const { port, outcome } = await world(t, { credentials: () => undefined })
  const done = outcome()
  const challenge = await dialCarrier(at(port))
  t.equal(await codeFrom(challenge.attach(ATTACH, key, secret)), 'SESSION_UNKNOWN')
  const { carrier } = await challenge.login(LOGIN, key)
  t.ok(await echoes(carrier))
  t.same(await done, { done: 'login' })

  const twice = await dialCarrier(at(port))
  t.equal(await codeFrom(twice.attach(ATTACH, key, secret)), 'SESSION_UNKNOWN')
  t.equal(await codeFrom(twice.attach(ATTACH, key, secret)), 'HANDSHAKE_INVALID')
})

t.test('an attach with the wrong secret or another key is refused [H2]', async (t) => {
  const { port } = await world(t)
  t.equal(await codeFrom((await dialCarrier(at(port))).attach(ATTACH, key, randomBytes(32))), 'SIGNATURE_INVALID')
  const stranger = generateKeyPairSync('ed25519').privateKey
  t.equal(await codeFrom((await dialCarrier(at(port))).attach(ATTACH, stranger, secret)), 'SIGNATURE_INVALID')
})

/** A carrier without our agent side: raw texts. */
async function rawCarrier(port: number): Promise<{ carrier: WebSocketCarrier; exporter: Buffer; nonce: Buffer }> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: SERVERNAME, ca: edge.ca })
  await once(socket, 'secureConnect')
  const exporter = socket.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0))
  const { socket: upgraded, head } = await upgrade(socket, SERVERNAME)
  const carrier = new WebSocketCarrier(upgraded, { role: 'agent', mask: 'zero', head })
  const { nonce } = JSON.parse(await carrier.readText()) as { nonce: string }
  return { carrier, exporter, nonce: Buffer.from(nonce, 'base64url') }
}

for (const asking of ['login', 'attach', 'join'] as const) {
  t.test(`a recorded ${asking} is worth nothing on another carrier [H1]`, async (t) => {
    const { port } = await world(t)
    const first = await rawCarrier(port)
    const bodies = {
      login: { ...LOGIN, key: publicKeyOf(key) },
      attach: { ...ATTACH, proof: proofOf(secret, session, first.exporter) },
      join: { secret: randomBytes(32).toString('base64url'), key: publicKeyOf(key), software: '' },
    }
    const body = JSON.stringify(bodies[asking])
    const binding = { nonce: first.nonce, edge: identity, exporter: first.exporter }
    const recorded = JSON.stringify({
      type: asking,
      body,
      signature: signatureOf(key, signedBytes(asking, binding, body)),
    })
    const second = await rawCarrier(port)
    second.carrier.sendText(recorded)
    t.match(JSON.parse(await second.carrier.readText()), { type: 'refused', code: 'SIGNATURE_INVALID' })
    first.carrier.sendText(recorded)
    t.match(JSON.parse(await first.carrier.readText()), { type: asking === 'join' ? 'joined' : 'welcome' })
    first.carrier.destroy()
    second.carrier.destroy()
  })
}

t.test('wrong messages are refused as HANDSHAKE_INVALID', async (t) => {
  const { port } = await world(t)
  const signature = Buffer.alloc(64).toString('base64url')
  const wrong = [
    'no json',
    'null',
    '[]',
    '{"type":"welcome"}',
    '{"type":"login"}',
    JSON.stringify({ type: 'login', body: '{}', signature }),
    JSON.stringify({ type: 'login', body: 'x', signature }),
    JSON.stringify({ type: 'login', body: JSON.stringify({ ...LOGIN, key: 'AAAA' }), signature }),
    JSON.stringify({ type: 'attach', body: JSON.stringify({ ...ATTACH, proof: 1 }), signature }),
    JSON.stringify({ type: 'attach', body: JSON.stringify({ ...ATTACH, lost: [[1, -1]], proof: '' }), signature }),
    JSON.stringify({ type: 'login', body: '{}', signature: 'short' }),
  ]
  for (const text of wrong) {
    const { carrier } = await rawCarrier(port)
    carrier.sendText(text)
    t.match(JSON.parse(await carrier.readText()), { type: 'refused', code: 'HANDSHAKE_INVALID' }, text)
    carrier.destroy()
  }
})

/** Any TLS server, and every byte that it got inside TLS. */
async function listeningTls(
  t: Test,
  { cert, key }: { cert: string; key: string },
): Promise<{ port: number; got: Buffer[]; closed: Promise<void> }> {
  const got: Buffer[] = []
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on('data', (bytes: Buffer) => got.push(bytes))
    socket.on('error', () => undefined)
    socket.once('close', () => resolve())
  })
  server.on('tlsClientError', () => resolve())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, got, closed }
}

t.test('a wrong pin: not one byte is sent [C2]', async (t) => {
  const { port, got, closed } = await listeningTls(t, other)
  t.equal(await codeFrom(dialCarrier(at(port, { trust: { pin: identity } }))), 'PIN_MISMATCH')
  await closed
  t.same(got, [])
})

t.test('another CA than the one that was kept: not one byte is sent', async (t) => {
  const { port, got, closed } = await listeningTls(t, other)
  t.equal(await codeFrom(dialCarrier(at(port))), 'PIN_MISMATCH')
  await closed
  t.same(got, [])
})

t.test('a box that shows the true CA behind a leaf of its own is found out', async (t) => {
  const [leaf = ''] = other.cert.split(/(?<=END CERTIFICATE-----\n)/)
  const { port, got, closed } = await listeningTls(t, { key: other.key, cert: leaf + edge.ca })
  t.equal(await codeFrom(dialCarrier(at(port, { trust: { pin: identity } }))), 'PIN_MISMATCH')
  await closed
  t.same(got, [])
})

t.test('TLS opened on the way, or another program', async (t) => {
  const box = await listeningTls(t, makeTestEdge({ name: SERVERNAME }))
  t.equal(await codeFrom(dialCarrier(at(box.port, { trust: { pin: identity } }))), 'TLS_INTERCEPTED')
  t.same(box.got, [])
  const plain = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  t.teardown(() => plain.close())
  t.equal(await codeFrom(dialCarrier(at((plain.address() as AddressInfo).port))), 'TLS_INTERCEPTED')
})

t.test('no clock is asked: certificates that begin tomorrow or ended long ago are as good', async (t) => {
  for (const dates of [{ notBefore: '22000101000000Z' }, { notAfter: '19800101000000Z' }]) {
    const odd = makeTestEdge(dates)
    const pin = createHash('sha256').update(odd.caPublicKey).digest()
    const { port, closed } = await listeningTls(t, odd)
    const stop = new AbortController()
    const dialled = codeFrom(dialCarrier(at(port, { trust: { pin }, signal: stop.signal, timeoutMs: 300 })))
    t.equal(await dialled, 'EDGE_TIMEOUT', 'trusted, and then the server says nothing')
    await closed
  }
})

t.test('what a network does wrong is told apart', async (t) => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  t.equal(await codeFrom(dialCarrier(at(port))), 'EDGE_REFUSED_CONNECTION')
  t.equal(await codeFrom(dialCarrier({ ...at(port), host: 'nowhere.invalid' })), 'EDGE_NOT_FOUND')

  const silent = createServer((socket) => socket.on('error', () => undefined))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const silentPort = (silent.address() as AddressInfo).port
  t.equal(await codeFrom(dialCarrier(at(silentPort, { timeoutMs: 50 }))), 'EDGE_TIMEOUT')
  const stop = new AbortController()
  const dialled = codeFrom(dialCarrier(at(silentPort, { signal: stop.signal })))
  stop.abort()
  t.equal(await dialled, 'CANCELLED')
})

/** However that comes about: in order or by a reset. */
function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

t.test('the edge closes who is not done in time, wherever it stopped [H8]', async (t) => {
  const { port, outcome } = await world(t, {}, { timeoutMs: 800 })
  const stops = [
    async () => connect(port, '127.0.0.1'),
    async () => connectTls({ port, host: '127.0.0.1', ca: edge.ca, servername: SERVERNAME }),
  ]
  for (const stop of stops) {
    const done = outcome()
    const socket = await stop()
    socket.on('error', () => undefined)
    const closed = gone(socket)
    t.match(await done, { done: undefined, error: { code: 'HANDSHAKE_TIMEOUT' } })
    await closed
  }
  const done = outcome()
  const { carrier } = await rawCarrier(port)
  t.equal(await codeFrom(carrier.readText()), 'CARRIER_LOST')
  t.match(await done, { done: undefined, error: { code: 'HANDSHAKE_TIMEOUT' } })
})

t.test('who ends inside the handshake is let go at once', async (t) => {
  const { port, outcome } = await world(t, {}, { timeoutMs: 90_000 })
  const recorder = createServer((socket) => void socket.on('error', () => undefined))
  recorder.listen(0, '127.0.0.1')
  t.teardown(() => recorder.close())
  await once(recorder, 'listening')
  const agent = connectTls({ port: (recorder.address() as AddressInfo).port, host: '127.0.0.1' })
  agent.on('error', () => undefined)
  const [recorded] = (await once(recorder, 'connection')) as [Socket]
  const [hello] = (await once(recorded, 'data')) as [Buffer]
  agent.destroy()
  const ends = {
    'before its hello': async () => connect(port, '127.0.0.1').end(),
    'inside its hello': async () => connect(port, '127.0.0.1').end(hello.subarray(0, hello.length >> 1)),
    'after its hello': async () => connect(port, '127.0.0.1').end(hello),
    'after TLS': async () => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: edge.ca, servername: SERVERNAME })
      await once(socket, 'secureConnect')
      return socket.end()
    },
    'inside the upgrade': async () => {
      const socket = connectTls({ port, host: '127.0.0.1', ca: edge.ca, servername: SERVERNAME })
      await once(socket, 'secureConnect')
      return socket.end('GET /carrier HTTP/1.1\r\nHost: x\r\n')
    },
  }
  for (const [when, end] of Object.entries(ends)) {
    const from = performance.now()
    const done = outcome()
    const socket = await end()
    socket.on('error', () => undefined).resume()
    await gone(socket)
    t.match(await done, { done: undefined, error: { code: 'CARRIER_LOST' } }, when)
    t.ok(performance.now() - from < 45_000, when)
  }
})

t.test('random bytes on the door, before and inside TLS, end quietly', async (t) => {
  const { port, outcome } = await world(t)
  for (let round = 0; round < 20; round++) {
    const done = outcome()
    const socket: Socket | TLSSocket =
      round % 2 === 0
        ? connect(port, '127.0.0.1')
        : connectTls({ port, host: '127.0.0.1', ca: edge.ca, servername: SERVERNAME })
    socket.on('error', () => undefined)
    await once(socket, round % 2 === 0 ? 'connect' : 'secureConnect')
    socket.end(randomBytes(3000))
    socket.resume()
    t.match(await done, { done: undefined, asked: undefined })
  }
})

t.test('an evicted handshake closes both ends', async (t) => {
  const { promise: pending, resolve } = Promise.withResolvers<{ destroy(): void }>()
  const { door } = await world(t)
  const finished: Outcome[] = []
  const server = createServer((socket) => resolve(door.accept(socket, (outcome) => finished.push(outcome))))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { carrier } = await rawCarrier((server.address() as AddressInfo).port)
  const end = codeFrom(carrier.readText())
  ;(await pending).destroy()
  t.equal(await end, 'CARRIER_LOST')
  t.match(finished, [{ done: undefined, error: { code: 'CARRIER_LOST' } }])
})

t.test('a socket whose first bytes were peeked and put back', async (t) => {
  const { door } = await world(t)
  const server = createServer((socket) => {
    socket.once('data', (bytes: Buffer) => {
      socket.pause()
      socket.unshift(bytes)
      door.accept(socket, () => undefined)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { carrier } = await (await dialCarrier(at((server.address() as AddressInfo).port))).login(LOGIN, key)
  t.ok(await echoes(carrier))
})

t.test('an edge that would open more streams than the agent takes is left', async (t) => {
  const { port } = await world(t, {
    login: () => ({ welcome: { ...WELCOME, secret: secret.toString('base64url'), maxStreams: 101 }, start: echo }),
  })
  await t.rejects((await dialCarrier(at(port))).login(LOGIN, key), {
    code: 'HANDSHAKE_INVALID',
    message: /more streams/,
  })
})
