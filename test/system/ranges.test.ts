import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { COUNTING, countsOf } from '../support/counting.ts'
import { rssOf } from '../support/process.ts'
import { connect, fate, read } from '../support/socket.ts'
import { PATIENCE } from '../support/tools.ts'
import { askUdp, udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

const PORTS = 1000
const MIB = 1024 * 1024

interface Owner {
  teardown: (end: () => unknown) => unknown
}

/** A service that says its own port. */
async function says(t: Owner, port: number): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).end(String(port))).listen(port, '127.0.0.2')
  await once(server, 'listening')
  t.teardown(() => server.close())
}

t.test('a thousand ports in one rule', async (t) => {
  const here = await world(t, { nodeFlags: COUNTING })
  const { echo } = await here.services()
  await Promise.all(['home', 'many'].map((who) => here.join(who)))
  const beside = await here.publish('home', `tcp://${echo}`, '--name', 'beside')
  const visitor = await connect(beside.tunnel.port)
  const waits: number[] = []
  const stop = new AbortController()
  const talk = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const since = performance.now()
      visitor.write('x')
      // oxlint-disable-next-line no-await-in-loop -- one byte after the other
      await read(visitor, 1)
      waits.push(performance.now() - since)
    }
  })()
  const from = await freePort(PORTS)
  const to = from + PORTS - 1
  await Promise.all([from, from + 500, to].map((port) => says(t, port)))
  const heldBefore = (await countsOf(here.edge)).held
  const before = rssOf(here.edge.pid)
  const since = here.edge.mark
  const agent = here.expose('many', `tcp://127.0.0.2:${from}-${to}`, '--name', 'many')
  await agent.until('connected')
  const asked = performance.now()
  const tunnel = await agent.until('tunnel')
  const tookMs = performance.now() - asked
  const grownMib = (rssOf(here.edge.pid) - before) / MIB
  const heldMib = ((await countsOf(here.edge)).held - heldBefore) / MIB
  stop.abort()
  await talk
  visitor.destroy()
  t.ok((await here.edge.until('tunnel_open', { after: since })).event)
  t.match(String(tunnel['public']), new RegExp(`:${from}-${to}$`), 'the same numbers, one to one')
  for (const port of [from, from + 500, to]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    t.equal((await read(await connect(port))).toString(), String(port))
  }
  await t.rejects(connect(to + 1), { code: 'ECONNREFUSED' })
  t.ok(heldMib <= 10, `${heldMib.toFixed(1)} MiB are held`)
  t.ok(grownMib <= 10 * PATIENCE, `grown by ${grownMib.toFixed(1)} MiB`)
  t.ok(tookMs <= 500 * PATIENCE, `${tookMs.toFixed(0)} ms`)
  t.comment(
    `${PORTS} ports: ${tookMs.toFixed(0)} ms, ${heldMib.toFixed(1)} MiB held, grown by ${grownMib.toFixed(1)} MiB; an echo beside it took ${Math.max(...waits).toFixed(0)} ms at most`,
  )

  await here.agentDo('many', 'rm', 'many')
  await agent.until('removed')
  await here.edge.until('tunnel_closed')
  // How soon each port closes is another test's: `closing`.
  await Promise.all([from, to].map(refused))
})

/** Once a port lets nobody in any more. */
async function refused(port: number): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until it is closed
    const socket = await connect(port).catch((error: NodeJS.ErrnoException) => error)
    if (socket instanceof Error && socket.code === 'ECONNREFUSED') return
    if (!(socket instanceof Error)) socket.on('error', () => {}).destroy()
  }
}

t.test('ranges that cannot be had are refused by name, and disturb nobody', async (t) => {
  const here = await world(t)
  const from = await freePort(40)
  await here.join('home', '--ports', `${from}-${from + 29}`)
  const range = (first: number, last: number): string => `${from + first}-${from + last}`
  const refused = async (name: string, target: string, port: string): Promise<unknown> => {
    const agent = here.expose('home', target, '--name', name, '--port', port)
    const said = await agent.until('refused')
    t.equal((await agent.exited).code, 3)
    return said
  }
  const first = await here.publish('home', `tcp://${range(0, 9)}`, '--name', 'first', '--port', range(0, 9))
  t.match(first.tunnel.public, range(0, 9))
  t.match(await refused('over', 'tcp://127.0.0.1:1000-1009', range(5, 14)), {
    code: 'PORT_TAKEN',
    message: new RegExp(range(0, 9)),
  })
  t.match(await refused('grant', 'tcp://127.0.0.1:1000-1009', range(25, 34)), { code: 'PORT_NOT_ALLOWED' })
  const other = createServer().listen(from + 15, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  t.match(await refused('busy', 'tcp://127.0.0.1:1000-1009', range(10, 19)), {
    code: 'PORT_UNAVAILABLE',
    message: new RegExp(`port ${from + 15}\\b`),
  })

  t.test('UDP has its own: the same numbers, and ranges', async (t) => {
    const echo = await udpEcho(t)
    const { port } = echo.address()
    const udp = await here.publish('home', `udp://${port}-${port + 4}`, '--name', 'udp', '--port', range(0, 4))
    t.match(udp.tunnel.public, range(0, 4))
    t.equal((await askUdp(await udpSocket(t), 'first of the range', from)).toString(), 'first of the range')
    t.equal(await fate(from), 'reset', 'TCP of that number is another tunnel')
  })
})
