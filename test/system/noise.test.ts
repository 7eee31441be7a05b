import { randomBytes } from 'node:crypto'
import net from 'node:net'
import t from 'tap'
import { run } from '../support/command.ts'
import { LONG, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** Beginnings that get noise past the first check of a port. */
const OPENINGS: readonly Buffer[] = [
  Buffer.alloc(0),
  // TLS record and handshake headers of a ClientHello
  Buffer.from('16030100c8010000c40303', 'hex'),
  Buffer.from('160301ffff01', 'hex'),
  // SSL 2
  Buffer.from('802e0100', 'hex'),
  Buffer.from('GET / HTTP/1.1\r\nHost: home.localhost\r\n'),
  Buffer.from('GET / HTTP/1.1\r\nHost: home.localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
  Buffer.from('POST / HTTP/1.1\r\nHost: home.localhost\r\nTransfer-Encoding: chunked\r\n\r\n'),
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from('\r\n\r\n\r\n'),
  Buffer.from([0]),
]
const ROUNDS = LONG ? 400 : 30

t.test('random bytes on every listening port crash nothing', { skip: without('curl') }, async (t) => {
  const here = await world(t, {
    edgeFlags: ['--log-level', 'debug'],
  })
  const services = await here.services('web')
  await here.join('home')
  const { agent, tunnels } = await here.publish('home', [String(services.http), `tcp://${services.echo}`])
  const listening = [here.http, here.https, here.carrier, here.admin].map((address) => Number(address.split(':').pop()))
  const ports = [...listening, tunnels[1]?.port ?? 0]
  let sent = 0
  for (let round = 0; round < ROUNDS; round++) {
    const shots = [...new Set(ports)].map((port) => {
      const opening = OPENINGS[round % OPENINGS.length] ?? Buffer.alloc(0)
      const noise = Buffer.concat([opening, randomBytes(1 + Math.floor(Math.random() * 4096))])
      sent += noise.length
      // Many sources: limits per address are another test's subject.
      return shoot(port, noise, `127.0.${1 + (round % 200)}.${1 + (port % 200)}`)
    })
    // oxlint-disable-next-line no-await-in-loop -- a handful at a time
    await Promise.all(shots)
  }
  t.comment(`${sent} random bytes over ${ROUNDS * new Set(ports).size} connections`)
  if (here.edge.exit || agent.exit) t.fail(`it died\n${here.report()}`)
  t.notMatch(here.edge.log.join('\n'), /unhandled|uncaught/i)
  t.notMatch(agent.log.join('\n'), /unhandled|uncaught/i)
  const { stdout, stderr } = await run(here.curl('home', '/'))
  t.match(JSON.parse(stdout || '{}'), { label: 'web' }, stderr)
})

/** Sends, says it is finished, and waits until the other side has had enough; then leaves. */
function shoot(port: number, bytes: Buffer, from: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: from })
    const timer = setTimeout(() => socket.resetAndDestroy(), 300)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.resume()
    socket.end(bytes)
  })
}
