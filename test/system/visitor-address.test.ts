import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t from 'tap'
import { run } from '../support/command.ts'
import { connect, read } from '../support/socket.ts'
import { startSshd } from '../support/sshd.ts'
import { without } from '../support/tools.ts'
import { askUdp, udpSocket } from '../support/udp.ts'
import { type World, world } from '../support/world.ts'

const linux = process.platform !== 'linux' && 'needs Linux: all of 127.0.0.0/8 is the machine'
const FLAG = ['--visitor-address', 'loopback'] as const

interface Row {
  readonly address: string
  readonly visitor: string
  readonly open: number
  readonly total: number
}

async function visitors(here: World): Promise<Row[]> {
  const { stdout } = await here.agentDo('home', 'visitors', '--json')
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row)
}

t.test('each visitor comes from an address of its own', { skip: linux }, async (t) => {
  const here = await world(t)
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.end(`${socket.remoteAddress}\n`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await here.join('home')
  const seen = new Map<string, string>()

  t.test('over TCP', async (t) => {
    const { agent, tunnel } = await here.publish('home', `tcp://localhost:${port}`, '--name', 'who', ...FLAG)
    t.match(await agent.until('notice'), { name: 'who', code: 'LOCAL_VISITORS' })
    for (const from of ['127.0.0.9', '127.0.0.10', '127.0.0.9', '127.0.0.11']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const socket = await connect(tunnel.port, from)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const told = (await read(socket)).toString().trim()
      // Half open it would keep the agent from ending until its drain is over.
      socket.end()
      t.match(told, /^127\.(?!0\.)/)
      t.equal(seen.get(from) ?? told, told, 'the same visitor, the same address')
      seen.set(from, told)
    }
    t.equal(new Set(seen.values()).size, 3)
    const rows = await visitors(here)
    for (const [from, told] of seen)
      t.match(
        rows.find(({ visitor }) => visitor === from),
        { address: told },
      )
    t.match(
      rows.find(({ visitor }) => visitor === '127.0.0.9'),
      { total: 2 },
    )
    const forPeople = await here.agentDo('home', 'visitors', '--lang', 'ja')
    t.match(forPeople.stdout, /訪問者/)
    t.match(forPeople.stdout, seen.get('127.0.0.9'))
    await agent.stop()
  })

  t.test('over UDP, and after a restart of the agent', async (t) => {
    const service = await udpSocket(t)
    service.on('message', (_, from) => service.send(from.address, from.port, from.address))
    const { agent, tunnel } = await here.publish('home', `udp://${service.address().port}`, '--name', 'dgram', ...FLAG)
    for (const [from, told] of seen) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      t.equal((await askUdp(await udpSocket(t, from), 'who am I?', tunnel.port)).toString(), told)
    }
    t.match(await visitors(here), [{ open: 1 }, { open: 1 }, { open: 1 }])
    await agent.stop()
  })

  t.test('to services of this machine alone', async (t) => {
    const targets = ['tcp://192.0.2.1:22', 'tcp://[::1]:22', 'unix:/run/app.sock', './public']
    const told = await Promise.all(targets.map((target) => here.agentDo('home', 'expose', target, ...FLAG)))
    for (const [index, { code, stderr }] of told.entries())
      t.match([code, stderr], [2, /--visitor-address loopback is for services of this machine/], `${targets[index]}`)
  })

  t.test(
    'so that a log of failed logins tells them apart',
    { skip: without('ssh', 'sshd', 'ssh-keygen') },
    async (t) => {
      const sshd = await startSshd(here)
      const { tunnel } = await here.publish('home', `tcp://${sshd.port}`, '--name', 'sshd', ...FLAG)
      const froms = ['127.0.0.20', '127.0.0.21']
      const logins = froms.map((from) => {
        const [ssh, ...args] = sshd.client(tunnel.port, 'true')
        return run([ssh, '-b', from, '-o', 'PubkeyAuthentication=no', ...args])
      })
      t.match(await Promise.all(logins), [{ code: 255 }, { code: 255 }])
      const rows = await visitors(here)
      for (const from of froms) {
        const address = rows.find(({ visitor }) => visitor === from)?.address ?? 'none'
        // The line that fail2ban's filter for sshd goes by.
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await sshd.daemon.untilLogged(
          new RegExp(`authenticating user \\S+ ${address.replaceAll('.', '\\.')} port \\d+`),
        )
      }
    },
  )
})
