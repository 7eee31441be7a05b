// What is wrong or unwelcome is refused or dropped, each with its count, and nothing else is disturbed.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect as dial } from 'node:net'
import { join } from 'node:path'
import { connect as dialTls } from 'node:tls'
import t, { type Test } from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { Figures } from '../support/figures.ts'
import { connect, fate, read } from '../support/socket.ts'
import { askUdp, udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

const DENIED = '127.0.0.66'
const PROXY = '127.0.0.200'
/** Of the whole edge. */
const FLOWS = 20
const FLOOD = 3 * FLOWS

function refused(protocol: string, code: string): string {
  return `engawa_edge_visitors_refused_total{protocol="${protocol}",code="${code}"}`
}

function bindings(code: string): string {
  return `engawa_edge_bindings_refused_total{agent="home",code="${code}"}`
}

/** Looks again until so many have been counted: what an end has done, its counter may not know yet. */
async function counted(t: Test, look: () => Promise<Figures>, series: string, least: number): Promise<void> {
  let count = (await look()).count(series)
  // oxlint-disable-next-line no-await-in-loop -- one look after the other
  while (count < least) count = (await look()).count(series)
  t.ok(count >= least, `${series} ${count}`)
}

async function made(t: Test) {
  const config = join(t.testdir({}), 'edge.yaml')
  writeFileSync(config, `trusted_proxies: [${PROXY}]\nlimits: { udp: { flows: ${FLOWS} } }\n`)
  const here = await world(t, { edgeFlags: ['--config', config] })
  const service = await here.services()
  const echo = await udpEcho(t)
  const first = await freePort(20)
  await here.join('home', '--ports', `${first}-${first + 19}`)
  const targets = [`${service.http}`, `tcp://${service.echo}`, `udp://${echo.address().port}`, `tls://${service.echo}`]
  const agent = here.expose('home', ...targets, '--deny', `${DENIED}/32`)
  const names: Record<string, string> = {}
  const ports: Record<string, number> = {}
  for (let after = 0, count = 0; count < targets.length; count++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const event = await agent.until('tunnel', { after, witnesses: [here.edge] })
    after = agent.events.indexOf(event) + 1
    names[String(event['protocol'])] = String(event['name'])
    ports[String(event['protocol'])] = Number(/:(\d+)$/.exec(String(event['public']))?.[1])
  }
  return { here, agent, first, tcp: ports['tcp'] ?? 0, udp: ports['udp'] ?? 0, names }
}

/** Visitors who go on through all of it. */
async function bystanders(t: Test, { tcp, udp }: { tcp: number; udp: number }): Promise<() => Promise<void>> {
  const stream = await connect(tcp)
  const flow = await udpSocket(t, '127.0.0.9')
  t.teardown(() => stream.destroy())
  const talk = async (): Promise<void> => {
    stream.write('still here')
    t.equal((await read(stream, 10)).toString(), 'still here')
    t.equal((await askUdp(flow, 'still here', udp)).toString(), 'still here')
  }
  // A flow whose visitor has spoken again after an answer is nobody's to take.
  await talk()
  await talk()
  return talk
}

t.test('bad input of every kind', async (t) => {
  const { here, agent, first, tcp, udp, names } = await made(t)
  const talk = await bystanders(t, { tcp, udp })
  const edge = (): Promise<Figures> => Figures.ofEdge(here)

  await t.test('a denied address on each protocol', async (t) => {
    t.equal(await fate(tcp, DENIED), 'reset')
    await counted(t, edge, refused('tcp', 'BLOCKED'), 1)
    const [, https] = here.https.split(':')
    const tls = dialTls({
      port: Number(https),
      host: '127.0.0.1',
      localAddress: DENIED,
      servername: here.host(names['tls'] ?? ''),
    } as never)
    t.match((await once(tls, 'error'))[0], { code: 'ECONNRESET' })
    await counted(t, edge, refused('tls', 'BLOCKED'), 1)
    const page = await run(here.curl(names['http'] ?? '', '/', '--interface', DENIED, '--include'))
    t.match(page.stdout, /^HTTP\/1.1 403 .*engawa-error: BLOCKED/is)
    await counted(t, edge, 'engawa_edge_refusals_total{code="BLOCKED"}', 1)
    const silent = await udpSocket(t, DENIED)
    const heard: Buffer[] = []
    silent.on('message', (bytes) => heard.push(bytes))
    silent.send('x', udp, '127.0.0.1')
    await counted(t, edge, refused('udp', 'BLOCKED'), 1)
    await counted(t, edge, `engawa_edge_tunnel_datagrams_dropped_total{tunnel="${names['udp']}"}`, 1)
    t.same(heard, [])
    await talk()
  })

  await t.test('forged and broken PROXY headers', async (t) => {
    const [host, http] = here.http.split(':')
    const say = async (localAddress: string, bytes: string): Promise<string> => {
      const socket = dial({ host: host ?? '', port: Number(http), localAddress })
      socket.on('error', () => {}).end(bytes)
      return (await read(socket).catch(() => 'reset')).toString()
    }
    const ask = `GET / HTTP/1.1\r\nHost: ${here.host(names['http'] ?? '')}\r\nConnection: close\r\n\r\n`
    t.match(await say(PROXY, `PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n${ask}`), /^HTTP\/1.1 200/, 'a true one')
    t.notMatch(await say(PROXY, `PROXY TCP4 nobody 192.0.2.8 1 2\r\n${ask}`), /200/)
    await counted(t, edge, refused('http', 'REQUEST_INVALID'), 1)
    t.match(await say('127.0.0.5', `PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n${ask}`), /^HTTP\/1.1 400/, 'from a stranger')
    await counted(t, edge, 'engawa_edge_refusals_total{code="REQUEST_INVALID"}', 1)
    await talk()
  })

  await t.test('ports out of the grant, and ranges that overlap', async (t) => {
    const wanted = { out: first + 18, over: Math.min(first + 15, Math.max(first, tcp - 2)) }
    const asking = Object.entries(wanted).map(([name, from]) =>
      here.expose('home', 'tcp://127.0.0.1:1000-1004', '--name', name, '--port', `${from}-${from + 4}`),
    )
    const [out, over] = await Promise.all(
      asking.map((each) => each.until('refused', { witnesses: [here.edge, agent] })),
    )
    t.match(out, { code: 'PORT_NOT_ALLOWED' })
    t.match(over, { code: 'PORT_TAKEN' })
    await counted(t, edge, bindings('PORT_NOT_ALLOWED'), 1)
    await counted(t, edge, bindings('PORT_TAKEN'), 1)
    await talk()
  })

  await t.test('a target where no target may lead', async (t) => {
    // By a name that leads there it is found out at each visit, and counted: another test's, `afresh`.
    const inside = here.expose('home', 'tcp://169.254.169.254:80', '--name', 'inside')
    t.match(await inside.until('refused'), { name: 'inside', code: 'REACH_DENIED' })
    await talk()
  })

  await t.test('a flood of sources that send one datagram each', async (t) => {
    for (let host = 1; host <= FLOOD; host++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await shoot(`127.5.0.${host}`, udp)
    }
    // What the kernel had no room for under load never came.
    await counted(t, edge, refused('udp', 'TOO_MANY'), FLOWS)
    await talk()
  })
})

async function shoot(address: string, port: number): Promise<void> {
  const socket: UdpSocket = createSocket('udp4').bind(0, address)
  await once(socket, 'listening')
  await new Promise((sent) => {
    socket.send('x', port, '127.0.0.1', sent)
  })
  socket.close()
}
