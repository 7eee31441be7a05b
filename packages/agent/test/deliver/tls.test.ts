import { once } from 'node:events'
import { type AddressInfo, connect as connectPlain, createServer as createPlain, type Server } from 'node:net'
import { createServer } from 'node:tls'
import { deliver, failureOf } from '@engawa/agent/deliver/deliver'
import { Reach } from '@engawa/agent/deliver/reach'
import { parseWish, type TypedWish } from '@engawa/agent/wish'
import t, { type Test } from 'tap'
import { makeTestEdge } from '../support/certificate.ts'

async function listening(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** The failure, or the server name that the service was asked by. */
async function reach(t: Test, wish: TypedWish): Promise<string> {
  const { socket, ready } = deliver(parseWish(wish), { portIndex: 0, reach: new Reach() })
  t.teardown(() => socket.destroy())
  t.equal(ready, 'secureConnect')
  try {
    await once(socket, ready)
    const [said] = (await once(socket, 'data')) as [Buffer]
    return said.toString()
  } catch (error) {
    return failureOf(error)
  }
}

t.test('an https:// service: its certificate is verified at home', async (t) => {
  const { key, cert } = makeTestEdge({ name: 'nas.test' })
  const server = createServer({ key, cert }, (socket) => {
    socket.on('error', () => {})
    socket.end(`asked for ${String(socket.servername)}`)
  })
  server.on('tlsClientError', () => {})
  const target = `https://127.0.0.1:${await listening(t, server)}`
  t.equal(await reach(t, { target }), 'SERVICE_CERTIFICATE')
  t.match(await reach(t, { target, insecure: true }), /asked for (?:false)?$/, 'an address is no server name')
  t.equal(await reach(t, { target, insecure: true, hostHeader: 'nas.test:5001' }), 'asked for nas.test')
})

t.test('a service that speaks no TLS, or none at all', async (t) => {
  const plain = createPlain((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  const port = await listening(t, plain)
  await once(connectPlain(port, '127.0.0.1').resume(), 'close')
  t.equal(await reach(t, { target: `https://127.0.0.1:${port}` }), 'SERVICE_BROKE')
  t.equal(await reach(t, { target: 'https://127.0.0.1:1' }), 'SERVICE_REFUSED')
  t.equal(await reach(t, { target: 'https://169.254.169.254' }), 'REACH_DENIED')
})
