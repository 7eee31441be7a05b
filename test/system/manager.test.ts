import { writeFileSync } from 'node:fs'
import { serviceManager } from '@engawa/shared/manager'
import t from 'tap'
import { Herald } from '../support/herald.ts'
import { connect, read } from '../support/socket.ts'
import { without } from '../support/tools.ts'
import { agentCommand, edgeCommand, world } from '../support/world.ts'

const skip = without('systemd-notify', 'python3')

t.test('readiness, a status and the end reach the service manager in this order', { skip }, async (t) => {
  const herald = await Herald.open(t)
  const manager = serviceManager({ ...process.env, NOTIFY_SOCKET: herald.path })
  manager.ready()
  manager.status('connected\nto 203.0.113.5')
  await herald.until(/^STATUS=/)
  manager.stopping(90_000)
  manager.stopping(0)
  await herald.until(/^EXTEND/)
  manager.status('gone')
  await herald.until(/^STATUS=gone/)
  t.same(
    herald.said,
    ['READY=1', 'STATUS=connected to 203.0.113.5', 'STOPPING=1', 'EXTEND_TIMEOUT_USEC=105000000', 'STATUS=gone'],
    'the first word on the stop counts',
  )
})

t.test('signs of life come as often as the manager wants them, also in a stop that takes long', { skip }, async (t) => {
  const herald = await Herald.open(t)
  const manager = serviceManager({ ...process.env, NOTIFY_SOCKET: herald.path, WATCHDOG_USEC: '200000' })
  manager.ready()
  await herald.until(/^WATCHDOG=1$/, 3)
  manager.stopping(90_000)
  await herald.until(/^STOPPING=1$/)
  t.equal(herald.said[0], 'READY=1')
  const before = herald.said.filter((line) => line === 'WATCHDOG=1').length
  await herald.until(/^WATCHDOG=1$/, before + 2)
})

t.test('another process that the watchdog is meant for is left to it', { skip }, async (t) => {
  const herald = await Herald.open(t)
  const env = { ...process.env, NOTIFY_SOCKET: herald.path, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }
  const manager = serviceManager(env)
  manager.ready()
  manager.stopping(0)
  await herald.until(/^STOPPING=1$/)
  t.notOk(herald.said.includes('WATCHDOG=1'))
})

t.test('without a service manager nothing is said, and without systemd-notify it is told once', async (t) => {
  serviceManager({}).ready()
  const missing: Error[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const manager = serviceManager({ NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' }, (error) => {
    missing.push(error)
    resolve()
  })
  manager.ready()
  await promise
  manager.status('more')
  manager.stopping(0)
  t.equal(missing.length, 1)
})

t.test('an edge and an agent say when they serve, that they live, and that they stop', { skip }, async (t) => {
  const here = await world(t)
  await here.join('home')
  const herald = await Herald.open(t)
  const env = { NOTIFY_SOCKET: herald.path, WATCHDOG_USEC: '400000' }
  const listens = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', 'off']
  const programs = [
    edgeCommand('run', '--json', '--drain', '2m', '--data', here.folder('second'), '--bind', '127.0.0.1', ...listens),
    agentCommand(
      'up',
      '--json',
      '--drain',
      '2m',
      '--data',
      here.agentData('home'),
      '--config',
      here.folder('agent.yaml'),
    ),
  ]
  writeFileSync(here.folder('agent.yaml'), 'tunnels: []\n')
  for (const command of programs) {
    herald.said.length = 0
    const program = here.start(command.slice(3).join(' '), command, env)
    // oxlint-disable-next-line no-await-in-loop -- both speak to the same socket
    await herald.until(/^READY=1$/)
    // oxlint-disable-next-line no-await-in-loop -- both speak to the same socket
    await herald.until(/^WATCHDOG=1$/, 2)
    // oxlint-disable-next-line no-await-in-loop -- both speak to the same socket
    t.equal((await program.stop()).code, 0, program.report())
    // oxlint-disable-next-line no-await-in-loop -- both speak to the same socket
    await herald.until(/^STOPPING=1$/)
    // oxlint-disable-next-line no-await-in-loop -- both speak to the same socket
    await herald.until(/^EXTEND_TIMEOUT_USEC=135000000$/)
  }
})

t.test('an agent says that it stops when it begins to, and its streams go on', { skip }, async (t) => {
  const here = await world(t)
  const services = await here.services('manager')
  await here.join('home')
  const herald = await Herald.open(t)
  const config = here.folder('agent.yaml')
  writeFileSync(config, `drain: 2m\ntunnels: [{ target: 'tcp://${services.echo}' }]\n`)
  const command = agentCommand('up', '--json', '--data', here.agentData('home'), '--config', config)
  const agent = here.start('agent up', command, { NOTIFY_SOCKET: herald.path })
  const tunnel = await agent.until('tunnel')
  const visitor = await connect(Number(String(tunnel['public']).split(':').at(-1)))
  visitor.write('before')
  t.equal(String(await read(visitor, 6)), 'before')
  agent.signal('SIGTERM')
  await herald.until(/^STOPPING=1$/)
  await herald.until(/^EXTEND_TIMEOUT_USEC=135000000$/)
  visitor.end('after')
  t.equal(String(await read(visitor)), 'after')
  t.equal((await agent.exited).code, 0, agent.report())
})
