import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { type Result, run } from '../support/command.ts'
import { findTool, without } from '../support/tools.ts'
import { askUdp, udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

t.test('datagrams through two programs and back', async (t) => {
  const here = await world(t, { shim: true })
  const echo = await udpEcho(t)
  await here.join('home')
  const { agent, tunnel } = await here.publish('home', `udp://${echo.address().port}`)

  t.test('the tunnel is told as such', async (t) => {
    t.match(tunnel, { name: `home-${echo.address().port}`, protocol: 'udp' })
    t.match(tunnel.public, /^tunnel\.test:\d+$/)
    t.not(tunnel.port, echo.address().port, 'the service has that number on this machine')
  })

  t.test('from one byte to 65,507', async (t) => {
    const visitor = await udpSocket(t)
    for (const size of [1, 0, 1200, 9000, 65_507]) {
      const bytes = randomBytes(size)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.ok((await askUdp(visitor, bytes, tunnel.port)).equals(bytes), `${size} bytes`)
    }
  })

  t.test('a thousand visitors, interleaved: each hears only its own', async (t) => {
    const visitors = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => udpSocket(t, `127.1.${index >> 8}.${index & 255}`)),
    )
    for (let round = 0; round < 3; round++) {
      const answers: string[] = []
      const queue = [...visitors.entries()]
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          const [index, visitor] = next
          // oxlint-disable-next-line no-await-in-loop -- a queue
          answers[index] = (await askUdp(visitor, `${index} in round ${round}`, tunnel.port)).toString()
        }
      }
      // Twenty at a time: what is measured here is whose answer comes, not how much a socket's buffer holds.
      // oxlint-disable-next-line no-await-in-loop -- rounds
      await Promise.all(Array.from({ length: 20 }, worker))
      t.equal(answers.length, visitors.length)
      t.ok(answers.every((answer, index) => answer === `${index} in round ${round}`))
    }
    const { stdout } = await here.edgeDo('tunnels', '--json')
    t.match(JSON.parse(stdout), { protocol: 'udp', dropped: 0 })
    const status = await here.agentDo('home', 'status', '--json')
    t.match(JSON.parse(status.stdout), { tunnels: [{ service: { reachable: true }, traffic: { dropped: 0 } }] })
  })

  t.test('a flow goes on over a cut carrier, from the same socket at home', async (t) => {
    const ports = new Set<number>()
    echo.on('message', (_, { port }) => ports.add(port))
    const visitor = await udpSocket(t)
    await askUdp(visitor, 'before', tunnel.port)
    const after = here.edge.mark
    here.shim?.reset()
    await here.edge.until('agent_resumed', { after })
    t.equal((await askUdp(visitor, 'after', tunnel.port)).toString(), 'after')
    t.equal(ports.size, 1)
  })

  t.test('the port is free again once the agent is gone for good', async (t) => {
    const visitor = await udpSocket(t)
    await here.agentDo('home', 'rm', tunnel.name)
    await agent.until('removed')
    visitor.connect(tunnel.port, '127.0.0.1')
    await once(visitor, 'connect')
    for (let refused = false; !refused; ) {
      visitor.send('x')
      // oxlint-disable-next-line no-await-in-loop -- the edge hears of it by a message
      refused = await Promise.race([once(visitor, 'error').then(() => true), delay(50, false)])
    }
  })
})

t.test('TCP and UDP on one number, and a range', async (t) => {
  const here = await world(t)
  const port = await freePort()
  const tcp = createServer((socket) => socket.on('error', () => {}).end('tcp')).listen(port, '127.0.0.1')
  await once(tcp, 'listening')
  t.teardown(() => tcp.close())
  await udpEcho(t, port)
  await here.join('home')
  const number = await freePort()
  const first = await here.publish('home', `tcp://${port}`, '--port', String(number))
  const second = await here.publish('home', `udp://${port}`, '--port', String(number))
  t.same([first.tunnel.port, second.tunnel.port], [number, number])
  t.not(first.tunnel.name, second.tunnel.name)
  t.equal((await askUdp(await udpSocket(t), 'udp', number)).toString(), 'udp')
  const taken = here.expose('home', `udp://${port}`, '--name', 'other', '--port', String(number))
  t.match(await taken.until('refused'), { code: 'PORT_TAKEN' })
  const from = await freePort(2)
  await udpEcho(t, from + 1)
  const range = await here.publish('home', `udp://${from}-${from + 1}`, '--name', 'range')
  const [, start] = /:(\d+)-\d+$/.exec(range.tunnel.public) ?? []
  t.equal((await askUdp(await udpSocket(t), 'x', Number(start) + 1)).toString(), 'x')
})

t.test('a name server answers dig over UDP and TCP', { skip: without('dig', 'dnsmasq') }, async (t) => {
  const here = await world(t)
  const port = await freePort()
  const flags = [
    '--keep-in-foreground',
    '--no-resolv',
    '--no-hosts',
    '--conf-file=/dev/null',
    '--pid-file=',
    '--user=root',
  ]
  const txt = `--txt-record=long.test,${Array.from({ length: 5 }, (_, part) => String(part).padEnd(200, 'x')).join(',')}`
  const listen = ['--listen-address=127.0.0.1', '--bind-interfaces', `--port=${port}`]
  here.start('dnsmasq', [findTool('dnsmasq') ?? 'dnsmasq', ...flags, ...listen, '--address=/nas.test/192.0.2.7', txt])
  await here.join('home')
  const { tunnels } = await here.publish('home', [`udp://${port}`, `tcp://${port}`])
  const udp = tunnels.find(({ protocol }) => protocol === 'udp')
  const tcp = tunnels.find(({ protocol }) => protocol === 'tcp')
  t.match(await dig(udp?.port, 'nas.test'), { code: 0, stdout: '192.0.2.7\n' })
  t.match(await dig(tcp?.port, '+tcp', 'nas.test'), { code: 0, stdout: '192.0.2.7\n' })
  const long = await dig(udp?.port, 'long.test', 'TXT', '+bufsize=4096')
  t.ok(long.stdout.length > 1000, 'an answer beyond the 512 bytes of old')
})

function dig(port: number | undefined, ...args: string[]): Promise<Result> {
  return run(['dig', '@127.0.0.1', '-p', String(port), '+short', '+tries=10', '+timeout=1', ...args])
}
