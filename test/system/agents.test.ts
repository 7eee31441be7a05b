import t from 'tap'
import { run } from '../support/command.ts'
import type { Event } from '../support/program.ts'
import { connect, read } from '../support/socket.ts'
import { PATIENCE, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const isTwo = (event: Event): boolean => event.event === 'tunnel_open' && event['name'] === 'two'
const portOf = (address: unknown): number => Number(/:(\d+)$/.exec(String(address))?.[1])

t.test('two agents on one edge', { skip: without('curl') }, async (t) => {
  const here = await world(t)
  const [red, blue] = [await here.services('red'), await here.services('blue')]
  await here.join('red')
  await here.join('blue')
  await here.publish('red', [String(red.http), `tcp://${red.bulk}`], '--json')
  await here.publish('blue', String(blue.http))

  t.test('each gets its own traffic alone', async (t) => {
    const rounds = Array.from({ length: 20 }, (_, round) => (round % 2 === 0 ? 'red' : 'blue'))
    const answers = await Promise.all(rounds.map((name) => run(here.curl(name, `/${name}`))))
    t.same(
      answers.map(({ stdout }) => (JSON.parse(stdout) as { label: string }).label),
      rounds,
    )
  })

  t.test('a taken name is refused by name, while its holder is away too', async (t) => {
    const greedy = here.expose('blue', String(blue.http), '--name', 'red')
    const refused = await greedy.until('refused')
    t.match(refused, { name: 'red', code: 'NAME_TAKEN' })
    t.match(refused['message'], /red/)
    t.equal((await greedy.exited).code, 3, 'every target refused')
    const still = await run(here.curl('red', '/'))
    t.match(JSON.parse(still.stdout), { label: 'red' })
  })

  t.test('one refused target does not keep the others from being published', async (t) => {
    const mixed = here.expose('blue', String(blue.http), `tcp://${blue.echo}`, '--json')
    const tunnel = await mixed.until((event) => event.event === 'tunnel' && event['protocol'] === 'tcp')
    const socket = await connect(portOf(tunnel['public']))
    socket.end('blue too')
    t.equal((await read(socket)).toString(), 'blue too')
    await mixed.stop()
  })
})

t.test('two expose in two terminals of one agent', { skip: without('curl') }, async (t) => {
  const here = await world(t)
  const [one, two] = [await here.services('one'), await here.services('two')]
  await here.join('home')
  const first = await here.publish('home', String(one.http), '--name', 'one')
  const second = await here.publish('home', [String(two.http)], '--name', 'two')
  const label = async (name: string): Promise<unknown> => {
    const { stdout } = await run(here.curl(name, '/', '--header', 'Accept: application/json'))
    return (JSON.parse(stdout || '{}') as { label?: string }).label
  }
  t.same([await label('one'), await label('two')], ['one', 'two'])
  t.equal(here.edge.events.filter(({ event }) => event === 'agent_online').length, 1, 'one session serves both')

  t.test('`ls` and `status` of a third terminal know both', async (t) => {
    const list = await here.agentDo('home', 'ls')
    t.equal(list.code, 0, list.stderr)
    t.match(list.stdout, /one/)
    t.match(list.stdout, /two/)
    t.equal((await here.agentDo('home', 'status')).code, 0)
  })

  t.test('the second ends: the first goes on', async (t) => {
    t.equal((await second.agent.stop()).code, 0, second.agent.report())
    await here.edge.until((event) => event.event === 'tunnel_closed' && event['name'] === 'two')
    t.equal(await label('one'), 'one')
  })

  t.test('the first, who holds the session, ends: the other takes over within 1 s', async (t) => {
    const before = here.edge.mark
    const third = await here.publish('home', String(two.http), '--name', 'two')
    await here.edge.until(isTwo, { after: before })
    const after = here.edge.mark
    const startedAt = performance.now()
    await first.agent.kill()
    await here.edge.until(isTwo, { after, witnesses: [third.agent] })
    const tookMs = performance.now() - startedAt
    t.equal(await label('two'), 'two')
    t.ok(tookMs < 5000 * PATIENCE, `took over in ${tookMs} ms`)
    t.comment(`a second expose took the session over in ${Math.round(tookMs)} ms`)
    await third.agent.stop()
  })
})
