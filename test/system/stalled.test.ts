import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { COUNTING, countsOf } from '../support/counting.ts'
import { connect, read } from '../support/socket.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const STREAMS = LONG ? 1000 : 60
const SESSION_BYTES = 64 * MIB
/** What a stream and its sockets hold beside that: 64 KiB that Node has read before it was asked to stop, and themselves. */
const EACH_BYTES = 96 * 1024
/** What one visitor's kernel takes before it says no, at least. */
const STUCK_BYTES = 16 * 1024
/** A new stream through a session full of stalled ones, milliseconds. */
const MOST_MS = 1000

/** A service that takes connections and reads nothing. */
async function deafService(owner: { teardown: (end: () => void) => unknown }): Promise<number> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  owner.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as net.AddressInfo).port
}

/** Writes until nobody has taken anything for a while. */
async function writeUntilStuck(socket: net.Socket): Promise<void> {
  const block = Buffer.alloc(64 * 1024, 1)
  while (socket.write(block) || socket.writableLength < STUCK_BYTES) {
    // oxlint-disable-next-line no-await-in-loop -- one block after the other
    await new Promise((resolve) => setImmediate(resolve))
  }
}

t.test(`R10 ${STREAMS} stalled streams, half of them each way`, { timeout: 240_000 }, async (t) => {
  const here = await world(t, { nodeFlags: COUNTING })
  const services = await here.services('bulk')
  const deaf = await deafService(t)
  await here.join('home')
  const targets = [`tcp://${services.bulk}`, `tcp://${deaf}`, `tcp://${services.echo}`]
  const { agent, tunnels } = await here.publish('home', targets)
  const [bulkPort = 0, deafPort = 0, echoPort = 0] = tunnels.map(({ port }) => port)
  const programs = [here.edge, agent]
  const before = await Promise.all(programs.map(countsOf))
  const sockets: net.Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (let count = 0; count < STREAMS; count++) {
    // So many sources that no limit of one address is met.
    const from = `127.0.1.${1 + (count % 8)}`
    // oxlint-disable-next-line no-await-in-loop -- they come one after the other
    const socket = await connect(count % 2 === 0 ? bulkPort : deafPort, from)
    socket.on('error', () => {})
    sockets.push(socket)
    if (count % 2 === 0) {
      socket.write(`get stalled ${64 * MIB}\n`)
      // oxlint-disable-next-line no-await-in-loop -- its first byte, and then no more
      await read(socket, 1)
    } else void writeUntilStuck(socket)
  }
  const took: number[] = []
  for (let count = 0; count < 20; count++) {
    const startedAt = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const socket = await connect(echoPort)
    socket.end('still there?')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.equal((await read(socket)).toString(), 'still there?')
    took.push(performance.now() - startedAt)
  }
  const slowest = Math.round(Math.max(...took))
  t.comment(`R10 a new stream beside ${STREAMS} stalled ones: answered after ${slowest} ms at most, of ${took.length}`)
  t.ok(slowest <= MOST_MS * PATIENCE, `${slowest} ms`)
  t.ok(
    sockets.every((socket) => !socket.destroyed),
    'none of the stalled was cut',
  )
  for (const [index, program] of programs.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { streams, buffered, held } = await countsOf(program)
    const grown = held - (before[index]?.held ?? 0)
    const told = `${mib(buffered)} MiB wait in ${streams} streams, ${mib(grown)} MiB more are held in all`
    t.comment(`R10 ${program.name}: ${told}`)
    t.ok(streams >= STREAMS)
    t.ok(buffered <= SESSION_BYTES, told)
    t.ok(grown <= SESSION_BYTES + STREAMS * EACH_BYTES, told)
  }
})

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1)
}
