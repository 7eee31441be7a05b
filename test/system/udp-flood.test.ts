import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

/** Of the edge whose flows are flooded. */
const FLOWS = 100

/** Asks again where a datagram was lost among so many, as every program does; late answers to what was asked before are no answer. */
async function insist(socket: UdpSocket, text: string, port: number): Promise<void> {
  const timer = setInterval(() => socket.send(text, port, '127.0.0.1'), 500)
  socket.send(text, port, '127.0.0.1')
  for (let heard = ''; heard !== text; ) {
    // oxlint-disable-next-line no-await-in-loop -- one answer after the other
    const [bytes] = (await once(socket, 'message')) as [Buffer]
    heard = bytes.toString()
  }
  clearInterval(timer)
}

t.test('a flood of sources that send one datagram each', async (t) => {
  const config = join(tmpdir(), `engawa-edge-${process.pid}.yaml`)
  writeFileSync(config, `limits: { udp: { flows: ${FLOWS} } }\n`)
  t.teardown(() => rmSync(config))
  const here = await world(t, { edgeFlags: ['--config', config] })
  const echo = await udpEcho(t)
  await here.join('home')
  const { tunnel } = await here.publish('home', `udp://${echo.address().port}`)
  const visitor = await udpSocket(t, '127.0.0.9')
  for (const word of ['one', 'two', 'three']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await insist(visitor, word, tunnel.port)
  }
  // Three times as many of them as the edge has flows for.
  for (let host = 1; host <= 3 * FLOWS; host++) {
    const socket = createSocket('udp4').bind(0, `127.4.${host >> 8}.${host & 255 || 1}`)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await once(socket, 'listening')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await new Promise((sent) => socket.send('x', tunnel.port, '127.0.0.1', sent))
    socket.close()
  }
  await insist(visitor, 'still here', tunnel.port)
  await insist(await udpSocket(t, '127.0.0.10'), 'new', tunnel.port)
  const { stdout } = await here.edgeDo('tunnels', '--json')
  t.match(JSON.parse(stdout), { protocol: 'udp' })
  t.ok(JSON.parse(stdout).open <= FLOWS, stdout)
})
