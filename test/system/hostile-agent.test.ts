import { randomBytes } from 'node:crypto'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import t from 'tap'
import { dialHome, type Home, joinHome } from '../../packages/edge/test/support/home.ts'
import { run } from '../support/command.ts'
import { connect, read } from '../support/socket.ts'
import { PATIENCE, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** A frame by protocol.md §3: type, length u24, stream u32, payload. */
function frame(type: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8 + payload.length)
  bytes.writeUInt8(type, 0)
  bytes.writeUIntLE(payload.length, 1, 3)
  bytes.writeUInt32LE(stream, 4)
  bytes.set(payload, 8)
  return bytes
}

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

/** DATA of stream 0: a message of §8, its u32 length before it. */
function message(text: string, offset = 0): Buffer {
  const body = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(body.length)
  return frame(3, 0, Buffer.concat([u64(offset), length, body]))
}

function flood(): Buffer {
  const text = JSON.stringify({ type: 'release', id: 1, name: 'x' })
  const step = message(text).length - 16
  return Buffer.concat(Array.from({ length: 1000 }, (_, count) => message(text, count * step)))
}

const HOSTILE: Readonly<Record<string, Buffer>> = {
  'an unknown frame': frame(99, 0, Buffer.from('what?')),
  'a length outside the table': frame(7, 0, Buffer.alloc(100)),
  'DATA longer than allowed': Buffer.from([3, 255, 255, 255, 1, 0, 0, 0]),
  'an OPEN of its own': frame(1, 1, Buffer.concat([u64(1024), Buffer.alloc(46)])),
  'DATA for a stream that never was': frame(3, 77, Buffer.concat([u64(0), Buffer.from('boo')])),
  'bytes past its credit': frame(3, 0, Buffer.concat([u64(0), Buffer.alloc(70_000)])),
  'a gap in a stream': frame(3, 0, Buffer.concat([u64(5), Buffer.from('boo')])),
  'an ACK of what was never sent': frame(7, 0, u64(2 ** 40)),
  'a number above 2^53': frame(7, 0, Buffer.alloc(8, 255)),
  'a message that is no JSON': message('{"type":'),
  'a message of no known type': message('{"type":"open sesame"}'),
  'a flood of messages': flood(),
  noise: randomBytes(100_000),
}

t.test(
  'an agent that breaks the protocol loses its session, and nobody else notices',
  { skip: without('curl') },
  async (t) => {
    const here = await world(t)
    const services = await here.services('web')
    await here.join('good')
    const { tunnels } = await here.publish('good', [String(services.http), `tcp://${services.echo}`])
    const visitor = await connect(tunnels[1]?.port ?? 0)
    const bad = await joinHome(await here.invite('bad'))

    for (const [what, bytes] of Object.entries(HOSTILE)) {
      t.test(what, async (t) => {
        const after = here.edge.mark
        const closed = await provoke(bad, bytes)
        t.ok(closed < 5000 * PATIENCE, `cut off after ${closed} ms`)
        await here.edge.until((event) => event.event === 'agent_offline' && event['agent'] === 'bad', { after })
        visitor.write(what)
        t.equal((await read(visitor, what.length)).toString(), what)
      })
    }

    t.test('the edge, its other agent and new visitors are well', async (t) => {
      const { stdout, stderr } = await run(here.curl('good', '/'))
      t.match(JSON.parse(stdout || '{}'), { label: 'web' }, stderr)
      const good = here.edge.events.filter((event) => event['agent'] === 'good').map(({ event }) => event)
      t.same(good, ['agent_online', 'tunnel_open', 'tunnel_open'])
      t.notMatch(here.edge.log.join('\n'), /unhandled|uncaught/i)
    })
  },
)

/** Logs in, sends the bytes as frames, and says after how many milliseconds the edge has closed. */
async function provoke(home: Home, bytes: Buffer): Promise<number> {
  const challenge = await dialHome(home)
  const instance = randomBytes(16).toString('base64url')
  const { carrier } = await challenge.login({ instance, maxStreams: 10, credit: 16_384, software: 'test' }, home.key)
  return until(carrier, bytes)
}

function until(carrier: Carrier, bytes: Buffer): Promise<number> {
  const sentAt = performance.now()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      carrier.destroy()
      reject(new Error('the edge did not close'))
    }, 30_000)
    carrier.onClosed = () => {
      clearTimeout(timer)
      resolve(performance.now() - sentAt)
    }
    carrier.onBytes = () => undefined
    carrier.onDrained = () => undefined
    carrier.send([bytes])
  })
}
