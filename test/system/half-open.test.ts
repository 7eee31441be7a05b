import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import { connect, read } from '../support/socket.ts'
import { world } from '../support/world.ts'

t.test('a service that never ends holds up no stop by the agent’s own look at its public port', async (t) => {
  const here = await world(t)
  const sockets = new Set<Socket>()
  const service = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => socket.write(bytes))
  }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => {
    service.close()
    for (const socket of sockets) socket.destroy()
  })
  await here.join('home')
  const target = `tcp://${(service.address() as AddressInfo).port}`
  const { agent, tunnel } = await here.publish('home', target, '--drain', '60s')
  t.match(await agent.until('check'), { ok: true })
  const visitor = await connect(tunnel.port)
  visitor.write('here')
  t.equal((await read(visitor, 4)).toString(), 'here', 'visitors are served')
  visitor.resetAndDestroy()
  const startedAt = performance.now()
  t.equal((await agent.stop(50_000)).code, 0, agent.report())
  t.ok(performance.now() - startedAt < 30_000, 'long before the drain is over')
})
