import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { connect, ending, fate, read } from '../support/socket.ts'
import { PATIENCE } from '../support/tools.ts'
import { askUdp, udpEcho, udpSocket } from '../support/udp.ts'
import { agentCommand, type World, world } from '../support/world.ts'

/** agent.yaml, and the agent that follows it. */
function upWith(here: World): { write: (rules: string) => void; start: () => ReturnType<World['start']> } {
  const file = join(here.agentData('home'), 'agent.yaml')
  return {
    // At once, as an editor would: who reads between truncating and writing sees an empty file.
    write: (yaml) => {
      writeFileSync(`${file}.new`, yaml)
      renameSync(`${file}.new`, file)
    },
    start: () => here.start('agent home', agentCommand('up', '--json', '--data', here.agentData('home'))),
  }
}

t.test('address rules on every protocol, changed while tunnels stand', async (t) => {
  const here = await world(t)
  const service = await here.services()
  const echo = await udpEcho(t)
  await here.join('home')
  const { write, start } = upWith(here)
  const port = await freePort()
  const targets = [
    `  - { target: ${service.http}, name: web, RULE }`,
    `  - { target: tcp://${service.echo}, name: echo, port: ${port}, RULE }`,
    `  - { target: udp://${echo.address().port}, name: dgram, port: ${port}, RULE }`,
  ]
  const yaml = (rule: string): string => `tunnels:\n${targets.join('\n').replaceAll('RULE', rule)}\n`
  write(yaml('allow: [127.0.0.0/8]'))
  const agent = start()
  for (const name of ['web', 'echo', 'dgram']) {
    // oxlint-disable-next-line no-await-in-loop -- three events, in any order
    await agent.until((event) => event.event === 'tunnel' && event['name'] === name, { witnesses: [here.edge] })
  }
  const [stays, goes] = [await connect(port, '127.0.0.9'), await connect(port, '127.0.0.1')]
  for (const socket of [stays, goes]) {
    socket.write('hello')
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.equal((await read(socket, 5)).toString(), 'hello')
  }
  const visitor = await udpSocket(t)
  t.equal((await askUdp(visitor, 'x', port)).toString(), 'x')
  t.match(await run(here.curl('web', '/', '--include')), { stdout: /^HTTP\/1.1 200/ })

  const opened = here.edge.events.filter(({ event }) => event === 'tunnel_open').length
  const changedAt = performance.now()
  const ended = ending(goes)
  write(yaml('deny: [127.0.0.1, "::ffff:127.0.0.2"]'))
  await agent.until('reloaded')
  t.equal(await ended, 'reset')
  t.ok(performance.now() - changedAt < 3000 * PATIENCE, 'soon after the file has changed')
  t.match(await run(here.curl('web', '/', '--include')), { stdout: /^HTTP\/1.1 403 .*engawa-error: BLOCKED/is })
  t.equal(await fate(port, '127.0.0.2'), 'reset')
  const heard: string[] = []
  visitor.on('message', (bytes) => heard.push(bytes.toString()))
  visitor.send('denied', port, '127.0.0.1')
  t.equal((await askUdp(await udpSocket(t, '127.0.0.9'), 'allowed', port)).toString(), 'allowed')
  await delay(50)
  t.same(heard, [])
  stays.end(' world')
  t.equal((await read(stays)).toString(), ' world', 'who is still welcome noticed nothing')
  t.equal(here.edge.events.filter(({ event }) => event === 'tunnel_open').length, opened)

  const tunnels = await here.edgeDo('tunnels', '--json')
  t.match(tunnels.stdout, /"name":"dgram".*"dropped":1/)
  write('tunnels: [{ target: tcp://22, allow: everybody }]\n')
  t.match(await agent.until('config_refused'), { message: /agent\.yaml:1:31 tunnels\[0\]\.allow: .*is no network/ })
})

t.test('a wrong network on the command line is one message', async (t) => {
  const here = await world(t)
  await here.join('home')
  const { code, stderr } = await here.agentDo('home', 'expose', 'tcp://22', '--deny', '10.0.0.0/33')
  t.equal(code, 2)
  t.match(stderr, /^agent: .*10\.0\.0\.0\/33.* is no network; write [^\n]*\n$/)
})
