// When a tunnel's public port closes.
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { connect, read } from '../support/socket.ts'
import { PATIENCE } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** As promises.md names it. */
const MOST_MS = 1000 * PATIENCE
const GRACE_MS = 2000

/** How long after `since` the port refused; every connection before that is let go. */
async function refusedAfter(port: number, since: number): Promise<number> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until it is closed
    const socket = await connect(port).catch((error: NodeJS.ErrnoException) => error)
    if (socket instanceof Error && socket.code === 'ECONNREFUSED') return performance.now() - since
    if (!(socket instanceof Error)) socket.on('error', () => {}).destroy()
    // oxlint-disable-next-line no-await-in-loop -- until it is closed
    await delay(20)
  }
}

async function inTime(t: Test, what: string, port: number, since: number): Promise<void> {
  const tookMs = await refusedAfter(port, since)
  t.ok(tookMs <= MOST_MS, `${what}: ${Math.round(tookMs)} ms`)
  t.comment(`${what}: closed after ${Math.round(tookMs)} ms`)
}

t.test('a port closes soon after its tunnel is over', async (t) => {
  const here = await world(t, { edgeFlags: ['--grace', `${GRACE_MS}ms`] })
  const { echo } = await here.services()
  await here.join('home')
  const open = async (name: string): Promise<Awaited<ReturnType<typeof here.publish>>> =>
    here.publish('home', `tcp://${echo}`, '--name', name)

  t.test('agent rm', async (t) => {
    const { tunnel, agent } = await open('removed')
    await here.agentDo('home', 'rm', 'removed')
    await inTime(t, 'rm', tunnel.port, performance.now())
    await agent.stop()
  })

  t.test('agent release', async (t) => {
    const { tunnel, agent } = await open('released')
    await here.agentDo('home', 'release', 'released')
    await inTime(t, 'release', tunnel.port, performance.now())
    await agent.stop()
  })

  t.test('the grace has passed without its agent', async (t) => {
    const { tunnel, agent } = await open('away')
    const visitor = await connect(tunnel.port)
    visitor.on('error', () => {}).write('x')
    await read(visitor, 1)
    const after = here.edge.mark
    await agent.kill()
    await here.edge.until('agent_offline', { after, deadlineMs: 30_000 })
    // The grace begins then.
    await inTime(t, 'grace', tunnel.port, performance.now() + GRACE_MS)
  })

  t.test('it never came after the edge has started', async (t) => {
    const { tunnel, agent } = await open('gone')
    await agent.kill()
    await here.edge.kill()
    await here.startEdge()
    const ready = performance.now()
    await inTime(t, 'never came', tunnel.port, ready + GRACE_MS)
  })

  t.test('revoked', async (t) => {
    const { tunnel } = await open('revoked')
    await here.edgeDo('agents', 'revoke', 'home')
    await inTime(t, 'revoked', tunnel.port, performance.now())
  })
})
