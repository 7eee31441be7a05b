import { once } from 'node:events'
import type { ClientHttp2Session } from 'node:http2'
import { connect, type TLSSocket } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { type SecureEdge, secureBefore } from '../../packages/edge/test/support/secure-edge.ts'
import { Random, seedOfRun } from '../../packages/shared/test/support/random.ts'
import { LONG } from '../support/tools.ts'
import { ATTACKS } from './http2/attacks.ts'
import { FLAG, frame, frames, OPENING, TYPE } from './http2/frames.ts'
import { HTTP2_REQUESTS } from './http2/requests.ts'
import { NAME } from './row.ts'
import { Witness } from './witness.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const MANY = Number(process.env['ENGAWA_FRAMES'] ?? (LONG ? 1_000_000 : 2500))
const AT_ONCE = 50
const SEED = seedOfRun()
const GROWN_MIB = 32
/** Right after the attacks: connections that are on their way down still hold what they sent. */
const LINGERING_MIB = 48
/** A connection on which nothing has come for so long is left: what is under way then may be counted or not. */
const QUIET_MS = 50
/** Who floods is ended long before; this is only what a test waits at most. */
const PATIENCE_MS = 60_000
const SEEDS = Object.values(HTTP2_REQUESTS).flatMap((rows) => rows.map((row) => row.frames))
const [NAME_LABEL = '', ...DOMAIN] = NAME.split('.')

interface Scene extends Omit<SecureEdge, 'service'> {
  readonly witness: Witness
  /** A visitor who is there all the time. */
  readonly honest: ClientHttp2Session
}

async function scene(t: Test, limits: { requestHeadMs?: number } = {}): Promise<Scene> {
  const witness = await Witness.open()
  t.teardown(() => witness.close())
  const perAddress = { connections: 1000, newPerSecond: 1_000_000, burst: 1_000_000 }
  const edge = await secureBefore(t, witness.port, {
    name: NAME_LABEL,
    domain: DOMAIN.join('.'),
    limits: { perAddress, ...limits },
  })
  const honest = await edge.visit()
  // At once: a connection that asks nothing is not kept for long.
  if (!(await isServed(honest))) throw new Error('nobody is served')
  return { ...edge, witness, honest }
}

async function isServed(honest: ClientHttp2Session): Promise<boolean> {
  const stream = honest.request({ ':path': '/honest' }).resume()
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
  if (!stream.closed) await once(stream, 'close')
  return head[':status'] === 200
}

function grown(before: NodeJS.MemoryUsage): number {
  gc()
  const now = process.memoryUsage()
  return (now.heapUsed + now.external - before.heapUsed - before.external) / 2 ** 20
}

async function visit(port: number): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: NAME,
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.write(OPENING)
  return socket
}

t.test(`${ATTACKS.length} attacks by frames: bounded memory, and nobody else notices`, async (t) => {
  const { port, witness, honest, link, tunnel } = await scene(t)
  let before: NodeJS.MemoryUsage | undefined
  for (const { name, rule, pieces, ends } of ATTACKS) {
    const opened = link.streams.length
    const socket = await visit(port)
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    // Whoever attacks does not read.
    socket.pause()
    for (const piece of pieces()) {
      if (socket.destroyed) break
      // Past a full socket it is the edge that decides how fast they come, or whether.
      if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), ended])
    }
    t.ok(await isServed(honest), `${name} (${rule}): another visitor is served`)
    socket.resume()
    if (ends) {
      const timer = setTimeout(() => {
        t.fail(`${name} (${rule}): it was not ended`)
        socket.destroy()
      }, PATIENCE_MS)
      await ended
      clearTimeout(timer)
    } else socket.destroy()
    const reached = link.streams.length - opened
    t.ok(reached <= 500, `${name}: ${reached} reached the service`)
    if (before !== undefined) continue
    // What is made once has been made.
    gc()
    before = process.memoryUsage()
  }
  if (before === undefined) return
  while (tunnel.traffic.open > 0) await new Promise(setImmediate)
  t.strictSame(witness.faults, [])
  witness.seen.length = 0
  for (const list of [link.streams, link.openings, link.summaries]) list.length = 0
  const mib = grown(before)
  t.comment(`${mib.toFixed(1)} MiB grown`)
  t.ok(mib <= LINGERING_MIB, `${mib} MiB`)
})

/** A connection's frames after some harm. */
function mutated(random: Random): Buffer[] {
  // Several rows, on streams of their own but for some: what one leaves behind meets the next.
  const list: Buffer[] = []
  for (let stream = 1; stream < 4 + random.below(16); stream += 2)
    list.push(...random.pick(SEEDS).map((one) => moved(one, random.chance(90) ? stream : 1)))
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(list.length)
    const one = Buffer.from(list[at] ?? Buffer.alloc(0))
    const harm = [
      () => list.splice(at, 1),
      () => list.splice(at, 0, one),
      () => list.splice(at, 1, ...list.splice(random.below(list.length), 1), one),
      () =>
        list.splice(at, 0, frame(random.below(12), random.below(256), random.below(5), random.bytes(random.below(20)))),
      () => {
        // Type, flags and stream say most.
        const where = random.chance(50) ? 3 + random.below(6) : random.below(Math.max(1, one.length))
        if (where < one.length) one[where] = random.below(256)
        list[at] = one
      },
      () => (list[at] = one.subarray(0, random.below(one.length + 1))),
      () => (list[at] = Buffer.concat([one.subarray(0, 9 + random.below(9)), random.bytes(3), one.subarray(9)])),
    ]
    random.pick(harm)()
    if (list.length === 0) return [OPENING]
  }
  return list
}

function moved(one: Buffer, stream: number): Buffer {
  const copy = Buffer.from(one)
  if (copy.length >= 9 && copy.readUInt32BE(5) === 1) copy.writeUInt32BE(stream, 5)
  return copy
}

/** Sends them, and leaves once nothing more comes back. */
async function send(port: number, list: readonly Buffer[]): Promise<void> {
  const socket = await visit(port)
  const over = new Promise((resolve) => socket.once('close', resolve))
  const read = { bytes: Buffer.alloc(0) }
  const leave = (): void => void socket.destroy()
  let timer = setTimeout(leave, PATIENCE_MS)
  socket.on('data', (chunk: Buffer) => {
    read.bytes = Buffer.concat([read.bytes, chunk])
    for (const { type, flags } of frames(read)) {
      if (type === TYPE.settings && flags !== FLAG.ack) socket.write(frame(TYPE.settings, FLAG.ack, 0))
      clearTimeout(timer)
      timer = setTimeout(leave, QUIET_MS)
    }
  })
  socket.on('end', leave)
  socket.write(Buffer.concat(list))
  await over
  clearTimeout(timer)
}

t.test(`${MANY} mutated frames: whatever the service counts the edge has logged`, { timeout: 900_000 }, async (t) => {
  const { port, witness, honest, link, tunnel, entries } = await scene(t, { requestHeadMs: 500 })
  t.comment(`ENGAWA_SEED=${SEED}`)
  const figures = { frames: 0, connections: 0, counted: 0, logged: 0 }
  let before: NodeJS.MemoryUsage | undefined
  for (let seed = SEED; figures.frames < MANY; seed++) {
    const random = new Random(seed)
    const lists = Array.from({ length: AT_ONCE }, () => mutated(random))
    await Promise.all(lists.map((list) => send(port, list)))
    if (!(await isServed(honest))) t.fail('another visitor is served')
    while (tunnel.traffic.open > 0) await new Promise(setImmediate)
    // Who has left while the service was being told: it may have been told nevertheless.
    await witness.caughtUp()
    const seen = witness.seen.splice(0).map(({ text }) => text.replace(/ \+\d+$/, ''))
    const logged = entries.splice(0)
    const left = logged.map(({ method, target }) => `${method} ${target}`)
    const unknown = seen.filter((text) => {
      const at = left.indexOf(text)
      if (at >= 0) left.splice(at, 1)
      return at < 0
    })
    const answered = logged.filter(({ by }) => by === 'service').length
    const faults = witness.faults.splice(0)
    if (unknown.length > 0 || faults.length > 0 || answered > seen.length) {
      t.strictSame([unknown, faults], [[], []], `nothing but what was logged reaches the service, ENGAWA_SEED=${seed}`)
      t.ok(answered <= seen.length, `${answered} answered by the service, which saw ${seen.length}`)
      break
    }
    figures.frames += lists.reduce((sum, list) => sum + list.length, 0)
    figures.connections += lists.length
    figures.counted += seen.length
    figures.logged += logged.length
    for (const list of [link.streams, link.openings, link.summaries]) list.length = 0
    if (before !== undefined) continue
    gc()
    before = process.memoryUsage()
  }
  t.comment(JSON.stringify(figures))
  t.ok(figures.counted > figures.connections / 10, 'enough of them got through to mean something')
  if (before === undefined) return
  const mib = grown(before)
  t.comment(`${mib.toFixed(1)} MiB grown`)
  t.ok(mib <= GROWN_MIB, `${mib} MiB`)
})
