import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Challenge, dialCarrier } from '../../src/carrier/handshake-agent.ts'
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
async function world(t: Test): Promise<World> {
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
  const dial = (): Promise<Challenge> =>
    dialCarrier({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
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
function* seeded(seed: number): Generator<Buffer> {
  let block = createHash('sha512').update(String(seed)).digest()
  for (let left = BYTES; left > 0; left -= 65_536) {
    block = createHash('sha512').update(block).digest()
    yield Buffer.alloc(65_536, block)
  }
}

function hashOf(seed: number): string {
  const hash = createHash('sha256')
  for (const block of seeded(seed)) hash.update(block)
  return hash.digest('hex')
}

for (const { name, cut } of [
  { name: 'reset', cut: (socket: Socket): unknown => socket.resetAndDestroy() },
  { name: 'closed', cut: (socket: Socket): unknown => socket.destroy() },
]) {
  t.test(`64 MiB both ways at once, the carrier ${name} eight times in the middle`, { timeout: 60_000 }, async (t) => {
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
    const send = async (duplex: typeof near, seed: number): Promise<void> => {
      for (const block of seeded(seed)) if (!duplex.write(block)) await once(duplex, 'drain')
      duplex.end()
    }
    const hear = async (duplex: typeof near): Promise<string> => {
      const hash = createHash('sha256')
      duplex.on('data', (bytes: Buffer) => {
        hash.update(bytes)
        cutWhenDue(bytes.length)
      })
      await once(duplex, 'end')
      return hash.digest('hex')
    }
    const [up, down] = await Promise.all([hear(far), hear(near), send(near, 1), send(far, 2)])
    t.equal(up, hashOf(1))
    t.equal(down, hashOf(2))
    t.equal(cuts, 8)
    t.ok(carriersLost() >= 8, `${carriersLost()} carriers lost`)
    t.ok(edge.session.figures.resentBytes > 0)
  })
}
