import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { connect, read } from '../support/socket.ts'
import { findTool, without } from '../support/tools.ts'
import { askUdp, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

t.test('haproxy learns who visits, by v1 and v2', { skip: without('haproxy', 'curl') }, async (t) => {
  const here = await world(t)
  const behind = createServer((request, response) => response.end(String(request.headers['x-seen']))).listen(
    0,
    '127.0.0.1',
  )
  await once(behind, 'listening')
  t.teardown(() => behind.close())
  const port = await freePort()
  const config = here.folder('haproxy.cfg')
  writeFileSync(
    config,
    `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend in
  bind 127.0.0.1:${port} accept-proxy
  http-request set-header x-seen "%[src] to port %[dst_port]"
  default_backend out
backend out
  server one 127.0.0.1:${(behind.address() as AddressInfo).port}
`,
  )
  // With a master, which tells when it listens.
  const haproxy = here.start('haproxy', [findTool('haproxy') ?? 'haproxy', '-W', '-f', config])
  await haproxy.untilLogged(/Loading success/)
  await here.join('home')
  for (const version of ['v1', 'v2']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { tunnel } = await here.publish('home', `tcp://${port}`, '--name', version, '--proxy-protocol', version)
    const url = `http://127.0.0.1:${tunnel.port}/`
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const seen = await run(['curl', '--silent', '--show-error', '--noproxy', '*', '--interface', '127.0.0.9', url])
    t.equal(seen.stdout, `127.0.0.9 to port ${tunnel.port}`, `${version} ${seen.stderr}`)
  }
})

t.test('a forged header of a visitor comes after the true one', async (t) => {
  const here = await world(t)
  const { echo } = await here.services()
  await here.join('home')
  const { tunnel } = await here.publish('home', `tcp://${echo}`, '--proxy-protocol', 'v1')
  const visitor = await connect(tunnel.port, '127.0.0.9')
  const { port } = visitor.address() as AddressInfo
  visitor.end('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')
  const said = (await read(visitor)).toString()
  t.equal(said, `PROXY TCP4 127.0.0.9 127.0.0.1 ${port} ${tunnel.port}\r\nPROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n`)
})

t.test('v2 stands before each datagram', async (t) => {
  const here = await world(t)
  const service = await udpSocket(t)
  service.on('message', (bytes, from) => service.send(bytes.toString('hex'), from.port, from.address))
  await here.join('home')
  const { tunnel } = await here.publish('home', `udp://${service.address().port}`, '--proxy-protocol', 'v2')
  const visitor = await udpSocket(t, '127.0.0.9')
  for (const text of ['a', 'b']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const said = (await askUdp(visitor, text, tunnel.port)).toString()
    const ports = Buffer.alloc(4)
    ports.writeUInt16BE(visitor.address().port, 0)
    ports.writeUInt16BE(tunnel.port, 2)
    const head = `0d0a0d0a000d0a515549540a2112000c7f0000097f000001${ports.toString('hex')}`
    t.equal(said, head + Buffer.from(text).toString('hex'))
  }
})
