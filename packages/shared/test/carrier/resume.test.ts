import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { type Challenge, dialCarrier } from '../../src/carrier/handshake-agent.ts'
import { CarrierDoor, type Gatekeeper } from '../../src/carrier/handshake-edge.ts'
import type { Welcome } from '../../src/carrier/handshake-messages.ts'
import { publicKeyOf } from '../../src/carrier/handshake-proof.ts'
import { Pump } from '../../src/carrier/pump.ts'
import type { Stream } from '../../src/mux/events.ts'
import { Session } from '../../src/mux/session.ts'
import { toDuplex } from '../../src/stream/duplex.ts'
import { makeTestEdge } from '../support/certificate.ts'
import { listener } from '../support/linked.ts'

const KEY = generateKeyPairSync('ed25519').privateKey
const LIMITS = { maxStreams: 100, credit: 16_384 }
const now = (): number => performance.now()

interface World {
  readonly edge: Pump
  readonly agent: Pump
  /** The TCP sockets of the carriers, as the edge accepted them. */
  readonly sockets: Socket[]
  /** Resolves with the agent's end of the next stream. */
  readonly opened: () => Promise<Stream>
  readonly carriersLost: () => number
}

/** A session over real TLS; the agent attaches again as soon as it has lost its carrier. */
async function world(
  t: Test,
  through: (port: number) => Promise<number> = (port) => Promise.resolve(port),
): Promise<World> {
  const certificate = makeTestEdge()
  const session = randomBytes(16).toString('base64url')
  const secret = randomBytes(32)
  const edge = new Pump(new Session({ side: 'edge', maxStreams: 100, peerCredit: LIMITS.credit }, now()), listener([]))
  const welcome = (carrier: number): Welcome => ({
    agent: 'home',
    session,
    carrier,
    generation: 1,
    graceMs: 120_000,
    ...LIMITS,
    lost: edge.session.lostReport(carrier),
    members: [],
  })
  const gatekeeper: Gatekeeper = {
    edge: createHash('sha256').update(certificate.caPublicKey).digest(),
    generation: 1,
    software: 'edge',
    credentials: () => ({ key: publicKeyOf(KEY), secret }),
    login: () => ({
      welcome: { ...welcome(1), secret: secret.toString('base64url') },
      start: (carrier) => edge.attach(1, carrier),
    }),
    attach: (body) => {
      edge.session.applyLost(body.lost, now())
      return { welcome: welcome(body.carrier), start: (carrier) => edge.attach(body.carrier, carrier) }
    },
    join: () => Promise.reject(new Error('not here')),
  }
  const door = new CarrierDoor({ gatekeeper, tls: certificate })
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    door.accept(socket, () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = await through((server.address() as AddressInfo).port)
  const dial = (): Promise<Challenge> =>
    dialCarrier({
      host: '127.0.0.1',
      port,
      servername: 'g1.carrier.engawa.internal',
      trust: { ca: certificate.ca },
    })

  const waiting: ((stream: Stream) => void)[] = []
  const agentSession = new Session({ side: 'agent', maxStreams: 100, ownCredit: LIMITS.credit }, now())
  const agent = new Pump(
    agentSession,
    listener([], { opened: (stream) => waiting.shift()?.(stream), carrierLost: () => void again() }),
  )
  let lost = 0
  async function again(): Promise<void> {
    lost++
    const carrier = agentSession.nextCarrier()
    try {
      const challenge = await dial()
      const attached = await challenge.attach({ session, carrier, lost: agentSession.lostReport(carrier) }, KEY, secret)
      agentSession.applyLost(attached.welcome.lost, now())
      agent.attach(carrier, attached.carrier)
    } catch {
      agentSession.carrierClosed(carrier, now())
      if (!agentSession.ended) await again()
    }
  }
  const first = await (await dial()).login(
    { instance: randomBytes(16).toString('base64url'), ...LIMITS, software: 'test' },
    KEY,
  )
  agent.attach(agentSession.nextCarrier(), first.carrier)
  t.teardown(() => {
    agent.end('SESSION_CLOSED')
    edge.end('SESSION_CLOSED')
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const opened = (): Promise<Stream> => new Promise((resolve) => waiting.push(resolve))
  return { edge, agent, sockets, opened, carriersLost: () => lost }
}

const BYTES = 64 << 20

/** Seeded pseudo-random bytes, made as they are wanted. */
function* seeded(seed: number, bytes: number = BYTES): Generator<Buffer> {
  let block = createHash('sha512').update(String(seed)).digest()
  for (let left = bytes; left > 0; left -= 65_536) {
    block = createHash('sha512').update(block).digest()
    yield Buffer.alloc(65_536, block)
  }
}

function hashOf(seed: number, bytes: number = BYTES): string {
  const hash = createHash('sha256')
  for (const block of seeded(seed, bytes)) hash.update(block)
  return hash.digest('hex')
}

async function send(duplex: Duplex, seed: number, bytes: number = BYTES): Promise<void> {
  for (const block of seeded(seed, bytes)) if (!duplex.write(block)) await once(duplex, 'drain')
  duplex.end()
}

async function hear(duplex: Duplex, count: (bytes: number) => void = () => undefined): Promise<string> {
  const hash = createHash('sha256')
  duplex.on('data', (bytes: Buffer) => {
    hash.update(bytes)
    count(bytes.length)
  })
  await once(duplex, 'end')
  return hash.digest('hex')
}

for (const { name, cut } of [
  { name: 'reset', cut: (socket: Socket): unknown => socket.resetAndDestroy() },
  { name: 'closed', cut: (socket: Socket): unknown => socket.destroy() },
]) {
  t.test(`64 MiB both ways at once, the carrier ${name} eight times in the middle`, { timeout: 280_000 }, async (t) => {
    const { edge, sockets, opened, carriersLost } = await world(t)
    const theirs = opened()
    const near = toDuplex(edge.session.open(new Uint8Array(46)))
    const far = toDuplex(await theirs)
    let moved = 0
    let cuts = 0
    const cutWhenDue = (bytes: number): void => {
      moved += bytes
      if (cuts < 8 && moved > (cuts + 1) * 14 * (1 << 20)) {
        cuts++
        const socket = sockets.at(-1)
        if (socket !== undefined) cut(socket)
      }
    }
    const [up, down] = await Promise.all([hear(far, cutWhenDue), hear(near, cutWhenDue), send(near, 1), send(far, 2)])
    t.equal(up, hashOf(1))
    t.equal(down, hashOf(2))
    t.equal(cuts, 8)
    t.ok(carriersLost() >= 8, `${carriersLost()} carriers lost`)
    t.ok(edge.session.figures.resentBytes > 0)
  })
}

/** A relay that resets both its sockets after so many bytes, one entry of `cuts` a connection; then it lets all through. */
function relay(t: Test, cuts: number[]): (port: number) => Promise<number> {
  return async (port) => {
    const server = createServer((inner) => {
      let left = cuts.shift() ?? Number.POSITIVE_INFINITY
      const outer = connect(port, '127.0.0.1')
      const pass = (to: Socket) => (bytes: Buffer) => {
        to.write(bytes.subarray(0, left))
        left -= bytes.length
        if (left > 0) return
        for (const socket of [inner, outer]) socket.destroy()
      }
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ] as const) {
        from.on('error', () => undefined)
        from.on('close', () => to.destroy())
        from.on('data', pass(to))
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    return (server.address() as AddressInfo).port
  }
}

t.test(
  'cut at any byte, in the handshake or in the frames: each byte arrives once',
  { timeout: 280_000 },
  async (t) => {
    const bytes = 3 << 20
    for (let first = 500; first < 5_500; first += 1_000) {
      const cuts = [Number.POSITIVE_INFINITY]
      for (let at = first; cuts.length < 25; at += 250 + (at % 7) * 3_001) cuts.push(at)
      const { edge, sockets, opened } = await world(t, relay(t, cuts))
      const theirs = opened()
      const near = toDuplex(edge.session.open(new Uint8Array(46)))
      const far = toDuplex(await theirs)
      const transfers = Promise.all([hear(far), hear(near), send(near, 3, bytes), send(far, 4, bytes)])
      sockets.at(-1)?.destroy()
      const [up, down] = await transfers
      t.equal(up, hashOf(3, bytes))
      t.equal(down, hashOf(4, bytes))
      t.same(cuts, [], 'every cut was made')
    }
  },
)
