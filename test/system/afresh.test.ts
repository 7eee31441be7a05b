// A target by host name is looked up for each connection: a machine at home that gets another address heals by itself.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { Figures } from '../support/figures.ts'
import { connect, fate, read } from '../support/socket.ts'
import { findTool, without } from '../support/tools.ts'
import { askUdp, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

function withoutMounts(): string | false {
  const missing = without('unshare', 'mount')
  if (missing !== false) return missing
  return spawnSync(findTool('unshare') ?? '', ['-m', 'true']).status !== 0 && 'needs root, and leave to mount'
}

const LISTENS = ['--bind', '127.0.0.1', '--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0']

t.test('a service that moves to another address', { skip: withoutMounts() }, async (t) => {
  // Its own hosts file stands for the resolver of a home router after DHCP has given another address.
  const hosts = join(tmpdir(), `engawa-hosts-${process.pid}`)
  const lives = (address: string): void => writeFileSync(hosts, `127.0.0.1 localhost\n${address} inner.test\n`)
  lives('127.0.0.2')
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"'
  const here = await world(t, {
    domain: 'localhost',
    places: {
      enter: (place) => (place === 'agent' ? ['unshare', '-m', 'sh', '-c', script, hosts] : []),
      edgeFlags: LISTENS,
      serviceHost: '127.0.0.1',
    },
  })
  await here.join('home')
  const port = await freePort()
  const serve = async (address: string): Promise<Server> => {
    const server = createServer((socket) => socket.on('error', () => {}).end(address)).listen(port, address)
    await once(server, 'listening')
    t.teardown(() => server.close())
    return server
  }
  const datagrams = async (address: string): Promise<void> => {
    const service = await udpSocket(t, address, port)
    service.on('message', (_, from) => service.send(address, from.port, from.address))
  }
  const old = await serve('127.0.0.2')
  await datagrams('127.0.0.2')
  const { tunnels } = await here.publish('home', [`tcp://inner.test:${port}`, `udp://inner.test:${port}`])
  const of = (protocol: string): number => tunnels.find((tunnel) => tunnel.protocol === protocol)?.port ?? 0
  const ask = async (): Promise<string> => (await read(await connect(of('tcp')))).toString()
  t.equal(await ask(), '127.0.0.2')
  t.equal((await askUdp(await udpSocket(t), 'x', of('udp'))).toString(), '127.0.0.2')

  old.close()
  await serve('127.0.0.3')
  await datagrams('127.0.0.3')
  lives('127.0.0.3')
  const since = performance.now()
  t.equal(await ask(), '127.0.0.3')
  t.equal((await askUdp(await udpSocket(t), 'x', of('udp'))).toString(), '127.0.0.3')
  const tookMs = performance.now() - since
  t.ok(tookMs < 10_000, `${Math.round(tookMs)} ms`)
  t.comment(`the next visitor after the move was served in ${Math.round(tookMs)} ms, both protocols`)
})

t.test('a name that leads where no target may', { skip: withoutMounts() }, async (t) => {
  const hosts = join(tmpdir(), `engawa-hosts-${process.pid}-2`)
  writeFileSync(hosts, '127.0.0.1 localhost\n169.254.169.254 inner.test\n')
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"'
  const here = await world(t, {
    domain: 'localhost',
    places: {
      enter: (place) => (place === 'agent' ? ['unshare', '-m', 'sh', '-c', script, hosts] : []),
      edgeFlags: LISTENS,
      serviceHost: '127.0.0.1',
    },
  })
  await here.join('home')
  const { agent, tunnel } = await here.publish('home', 'tcp://inner.test:80')
  t.match(await agent.until('service'), { reachable: false, code: 'REACH_DENIED' })
  t.equal(await fate(tunnel.port), 'reset')
  const figures = await Figures.ofAgent(here, 'home')
  const series = `engawa_agent_services_failed_total{tunnel="${tunnel.name}",code="REACH_DENIED"}`
  t.ok(figures.count(series) >= 1, 'and counted')
})

t.test('tls:// where the edge has no https port', async (t) => {
  const here = await world(t, {
    domain: 'localhost',
    places: {
      enter: () => [],
      edgeFlags: [...LISTENS.slice(0, 4), '--https', 'off', '--carrier', '127.0.0.1:0', '--admin', '127.0.0.1:0'],
      serviceHost: '127.0.0.1',
    },
  })
  await here.join('home')
  const agent = here.expose('home', 'tls://443', '--name', 'mail')
  t.match(await agent.until('refused'), { name: 'mail', code: 'PROTOCOL_UNSUPPORTED' })
  t.equal((await agent.exited).code, 2)
})
