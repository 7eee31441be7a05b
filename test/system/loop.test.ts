import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { fate } from '../support/socket.ts'
import { without } from '../support/tools.ts'
import { udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

t.test('a tunnel whose target is its own public port is noticed', { skip: without('curl') }, async (t) => {
  const here = await world(t)
  await here.join('home')

  t.test('over TCP: every visitor is cut off, and that is all', async (t) => {
    const port = await freePort()
    const { agent, tunnel } = await here.publish('home', `tcp://${port}`, '--port', `${port}`)
    t.equal(tunnel.port, port)
    t.equal(await fate(port), 'reset')
    t.ok(await agent.until((said) => said.event === 'service' && said['code'] === 'SERVICE_LOOP'))
    t.equal(await fate(port), 'reset')
    const { stdout } = await here.agentDo('home', 'status', '--json')
    t.ok(JSON.parse(stdout).tunnels[0].traffic.total < 30, stdout)
    await agent.stop()
  })

  t.test('over UDP', async (t) => {
    const port = await freePort()
    const { agent } = await here.publish('home', `udp://${port}`, '--name', 'udp', '--port', `${port}`)
    const visitor = await udpSocket(t)
    const timer = setInterval(() => visitor.send('x', port, '127.0.0.1'), 200)
    t.teardown(() => clearInterval(timer))
    t.ok(await agent.until((said) => said.event === 'service' && said['code'] === 'SERVICE_LOOP'))
    await agent.stop()
  })

  t.test('over HTTP: 508', async (t) => {
    const { agent } = await here.publish('home', here.http, '--name', 'web', '--host-header', here.host('web'))
    t.match(await run(here.curl('web', '/', '--include')), { stdout: /^HTTP\/1.1 (?:508|502) / })
    t.ok(await agent.until((said) => said.event === 'service' && said['code'] === 'SERVICE_LOOP'))
  })
})
