import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { openCarrierCa } from '@engawa/edge/identity/carrier-ca'
import { LIMITS } from '@engawa/edge/limits'
import { AgentListener } from '@engawa/edge/listen/agents'
import { createLog } from '@engawa/edge/log'
import { CarrierDoor } from '@engawa/shared/carrier/handshake-edge'
import { EngawaError } from '@engawa/shared/errors'
import t, { type Test } from 'tap'

const refuse = (): never => {
  throw new EngawaError('AGENT_UNKNOWN')
}

/** A port where nobody is known. */
async function gate(t: Test, limits: Partial<(typeof usual)['carriers']> = {}, ready = Promise.resolve()) {
  const folder = mkdtempSync(join(tmpdir(), 'agents-'))
  const ca = openCarrierCa(folder)
  const gatekeeper = {
    edge: ca.pin,
    generation: 1,
    software: 'test',
    credentials: () => undefined,
    login: refuse,
    attach: refuse,
    join: refuse,
  }
  const carriers = { ...usual.carriers, ...limits }
  const door = new CarrierDoor({ gatekeeper, tls: ca.leaf, timeoutMs: carriers.handshakeMs })
  const agents = new AgentListener({ door, limits: carriers, log: createLog('fatal', () => {}), ready })
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    agents.take(socket)
    server.emit('taken')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  /** The edge's ends, once there are so many. */
  const taken = async (count: number): Promise<Socket[]> => {
    if (sockets.length >= count) return sockets
    await once(server, 'taken')
    return taken(count)
  }
  t.teardown(() => {
    agents.close()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const { port } = server.address() as { port: number }
  return { agents, port, taken }
}
const usual = LIMITS.parse(undefined)

function visit(port: number): Socket {
  return connect(port, '127.0.0.1').on('error', () => {})
}

/** However that comes about: in order or by a reset. */
const gone = (socket: Socket): Promise<void> => new Promise((resolve) => socket.resume().once('close', () => resolve()))

t.test('the eleventh silent carrier of an address puts out the first, and itself stays', async (t) => {
  const { agents, port } = await gate(t)
  const first = visit(port)
  await once(first, 'connect')
  const putOut = gone(first)
  const others = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const socket = visit(port)
      await once(socket, 'connect')
      return socket
    }),
  )
  await putOut
  t.equal(agents.pending, 10)
  t.ok(others.every((socket) => !socket.destroyed))
  for (const socket of others) socket.destroy()
})

t.test('a silent carrier is put out when its time is over', async (t) => {
  const { agents, port } = await gate(t, { handshakeMs: 100 })
  await gone(visit(port))
  t.equal(agents.pending, 0)
})

t.test('who comes before the edge is ready waits, is counted, and may be reset without harm', async (t) => {
  const readiness = Promise.withResolvers<void>()
  const { agents, port, taken } = await gate(t, { waitingPerAddress: 2 }, readiness.promise)
  const early = [visit(port), visit(port)]
  await Promise.all([taken(2), ...early.map((socket) => once(socket, 'connect'))])
  t.equal(agents.pending, 2)
  const third = visit(port)
  await gone(early[0] as Socket)
  t.equal(agents.pending, 2, 'the oldest made room')
  const lost = (await taken(3))[1] as Socket
  const closed = new Promise((resolve) => lost.on('close', resolve))
  early[1]?.resetAndDestroy()
  await closed
  t.equal(agents.pending, 1)
  readiness.resolve()
  third.write('GET / HTTP/1.1\r\n\r\n')
  await gone(third)
  t.equal(agents.pending, 0)
})

t.test('the time of a carrier begins when it connects, not with its ClientHello [H8]', async (t) => {
  const { agents, port } = await gate(t, { handshakeMs: 600_000 })
  const server = createServer((socket) => agents.take(socket, performance.now() - 600_000)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const patient = visit(port)
  await once(patient, 'connect')
  await gone(visit((server.address() as { port: number }).port))
  t.notOk(patient.destroyed)
  patient.destroy()
})

t.test('a stranger who sends and sends is cut off', async (t) => {
  const { port } = await gate(t, { handshakeBytes: 4096 })
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: 'new.carrier.engawa.internal',
  })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.write('GET / HTTP/1.1\r\n')
  socket.write(`X: ${'x'.repeat(6000)}`)
  await gone(socket)
  t.pass('less than the 8 KiB at which its head would be refused')
})

t.test('garbage ends its own socket alone', async (t) => {
  const { agents, port } = await gate(t)
  const { publicKey } = generateKeyPairSync('ed25519')
  const noise = [
    Buffer.alloc(2000, 0x16),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    publicKey.export({ type: 'spki', format: 'der' }),
  ]
  await Promise.all(
    noise.map((bytes) => {
      const socket = visit(port)
      socket.end(bytes)
      return gone(socket)
    }),
  )
  t.equal(agents.pending, 0)
})

t.test('closing puts out who is under way and takes nobody more', async (t) => {
  const { agents, port } = await gate(t)
  const socket = visit(port)
  await once(socket, 'connect')
  agents.close()
  await Promise.all([gone(socket), gone(visit(port))])
  t.equal(agents.pending, 0)
})
