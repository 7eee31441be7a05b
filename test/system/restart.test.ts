import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/command.ts'
import { connect, read } from '../support/socket.ts'
import { PATIENCE, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

t.test(
  'kill -9 of the agent, then restart: its name and port are its own at once',
  { skip: without('curl') },
  async (t) => {
    const here = await world(t)
    const services = await here.services('web')
    await here.join('home')
    await here.join('rival')
    const targets = [String(services.http), `tcp://${services.echo}`]
    const first = await here.publish('home', targets)
    const [web, echo] = first.tunnels
    const addresses = first.tunnels.map((tunnel) => tunnel.public)

    const visitor = await connect(echo?.port ?? 0)
    visitor.write('x')
    await read(visitor, 1)
    const gone = once(visitor, 'error')
    await first.agent.kill()

    const rival = here.expose('rival', String(services.http), '--name', web?.name ?? '')
    t.match(await rival.until('refused'), { code: 'NAME_TAKEN' }, 'nobody else gets its name meanwhile')

    const startedAt = performance.now()
    const second = await here.publish('home', targets)
    const tookMs = performance.now() - startedAt
    t.same(
      second.tunnels.map((tunnel) => tunnel.public),
      addresses,
    )
    t.ok(tookMs < 10_000 * PATIENCE, `back in ${tookMs} ms`)
    t.comment(`after kill -9 of the agent: published again ${Math.round(tookMs)} ms after its restart`)
    const [error] = (await gone) as [NodeJS.ErrnoException]
    t.equal(error.code, 'ECONNRESET', 'the dead one’s visitor is reset, never ended in order')

    const { stdout } = await run(here.curl(web?.name ?? '', '/'))
    t.match(JSON.parse(stdout), { label: 'web' })
    const socket = await connect(echo?.port ?? 0)
    socket.end('again')
    t.equal((await read(socket)).toString(), 'again')
  },
)

t.test('kill -9 of the edge, then restart: the agent is back by itself', { skip: without('curl') }, async (t) => {
  const here = await world(t)
  const services = await here.services('web')
  await here.join('home')
  await here.join('asleep')
  const { agent, tunnels, tunnel } = await here.publish('home', [String(services.http), `tcp://${services.echo}`])
  const port = tunnels[1]?.port ?? 0
  const pending = await here.invite('later')
  const before = await state(here)

  await here.edge.kill()
  await agent.until('disconnected')
  await here.startEdge()
  const readyAt = performance.now()
  const { name } = tunnel
  await here.edge.until((event) => event.event === 'tunnel_open' && event['name'] === name, { witnesses: [agent] })
  const tookMs = performance.now() - readyAt
  t.ok(tookMs < 5000 * PATIENCE, `back ${tookMs} ms after ready`)
  t.comment(`after kill -9 of the edge: the agent was back ${Math.round(tookMs)} ms after ready`)

  const { stdout } = await run(here.curl(name, '/'))
  t.match(JSON.parse(stdout), { label: 'web' })
  const socket = await connect(port)
  socket.end('same port')
  t.equal((await read(socket)).toString(), 'same port')

  t.same(await state(here), before, 'agents and tunnels are what they were')
  t.equal((await here.agentDo('later', 'join', pending)).code, 0, 'an invitation given before still works')
  t.equal(agent.exit, undefined)
})

t.test('a request that comes while the agent is away for a moment is held', { skip: without('curl') }, async (t) => {
  // Longer than by default: an agent may be long in starting beside other tests.
  const config = join(t.testdir({ 'edge.yaml': 'limits: { held: { forMs: 60000 } }\n' }), 'edge.yaml')
  const here = await world(t, { edgeFlags: ['--config', config] })
  const services = await here.services('web')
  await here.join('home')
  const first = await here.publish('home', String(services.http))
  const { name } = first.tunnel
  await first.agent.kill()
  await here.edge.until('agent_offline')
  const held = run(here.curl(name, '/'))
  await here.publish('home', String(services.http))
  t.match(JSON.parse((await held).stdout), { label: 'web' })
})

/** Names of agents and tunnels, and the tunnels' addresses, as `edge agents` and `edge tunnels` list them. */
async function state(here: Awaited<ReturnType<typeof world>>): Promise<string[]> {
  const [agents, tunnels] = await Promise.all([here.edgeDo('agents', '--json'), here.edgeDo('tunnels', '--json')])
  const names = [...`${agents.stdout}\n${tunnels.stdout}`.matchAll(/"(?:name|public)":"([^"]+)"/g)]
  return names.map((match) => match[1] ?? '').toSorted()
}
