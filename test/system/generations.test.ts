import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/command.ts'
import { familyOf } from '../support/process.ts'
import { Talk } from '../support/talk.ts'
import { without } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

interface Status {
  readonly pid: number
  readonly generations: readonly { generation: number; state: string; streams: number }[]
}

async function statusOf(here: World): Promise<Status> {
  return JSON.parse((await here.edgeDo('status', '--json')).stdout) as Status
}

/** Publishes an echo service, lets a visitor in, and upgrades the edge: the visitor stays with the former generation. */
async function upgraded(
  here: World,
): Promise<{ agent: Awaited<ReturnType<World['publish']>>['agent']; talk: Talk; port: number }> {
  const services = await here.services()
  await here.join('home')
  const { agent, tunnel } = await here.publish('home', `tcp://${services.echo}`)
  const talk = await Talk.open(tunnel.port)
  const before = here.edge.mark
  const { code, stderr } = await here.edgeDo('upgrade')
  if (code !== 0) throw new Error(`${stderr}\n${here.report()}`)
  await here.edge.until('tunnel_open', { after: before, witnesses: [agent] })
  return { agent, talk, port: tunnel.port }
}

t.test(
  'C6 G1 H9: carriers that are cut find their generations; who logs in elsewhere replaces all sessions',
  async (t) => {
    const here = await world(t, { shim: true })
    const { agent, talk, port } = await upgraded(here)
    const { generations } = await statusOf(here)
    t.same(
      generations.map(({ state }) => state),
      ['draining', 'serving'],
    )
    t.ok((generations[0]?.streams ?? 0) >= 1, 'the visitor is where it was')
    const late = await Talk.open(port)
    here.shim?.reset()
    await Promise.all([talk.say(), late.say()])
    t.equal(talk.failure, undefined, 'who came before the upgrade')
    t.equal(late.failure, undefined, 'who came after it')
    const status = JSON.parse((await here.agentDo('home', 'status', '--json')).stdout) as {
      former: { streams: number }[]
    }
    t.equal(status.former.length, 1, 'the agent tells of both sessions')
    t.ok((status.former[0]?.streams ?? 0) >= 1)

    cpSync(here.agentData('home'), here.agentData('twin'), {
      recursive: true,
      filter: (path) => !path.endsWith('.sock'),
    })
    const services = await here.services()
    await here.publish('twin', `tcp://${services.echo}`)
    t.equal((await agent.exited).code, 3)
    await Promise.all([talk.gone, late.gone])
    await here.edge.untilLogged(/what ran has finished/)
  },
)

t.test('an upgrade that fails changes nothing, and who is revoked is cut off in every generation', async (t) => {
  const here = await world(t)
  const { agent, talk } = await upgraded(here)
  const before = await statusOf(here)
  const file = join(here.edgeData, 'edge.yaml')
  writeFileSync(file, 'domain: [')
  const refused = await here.edgeDo('upgrade')
  t.equal(refused.code, 2)
  t.match(refused.stderr, /edge\.yaml:1:\d+/)
  t.match(await statusOf(here), { pid: before.pid, generations: { length: 2 } })
  await talk.say()
  t.equal(talk.failure, undefined)

  t.equal((await here.edgeDo('agents', 'revoke', 'home')).code, 0)
  await talk.gone
  await agent.exited
})

t.test(
  'what is reloaded applies at once or is named, and a serving process that dies is replaced',
  { skip: without('curl') },
  async (t) => {
    const here = await world(t)
    const services = await here.services('web')
    await here.join('home')
    const { agent, tunnel } = await here.publish('home', String(services.http))
    const file = join(here.edgeData, 'edge.yaml')
    const status = async (): Promise<string> =>
      (await run(here.curl(tunnel.name, '/', '--write-out', '%{http_code}', '--output', '/dev/null'))).stdout

    writeFileSync(file, 'limits: { requestTargetBytes: 64 }\ngrace: 60s\n')
    const told = await here.edgeDo('reload', '--json')
    t.same(JSON.parse(told.stdout), { applied: ['limits.requestTargetBytes'], later: ['grace'] }, told.stderr)
    t.equal(await status(), '200')
    const long = `/${'x'.repeat(100)}`
    t.equal(
      (await run(here.curl(tunnel.name, long, '--write-out', '%{http_code}', '--output', '/dev/null'))).stdout,
      '414',
    )

    writeFileSync(file, 'limits: { requestTargetBytes: none }\n')
    const wrong = await here.edgeDo('reload')
    t.equal(wrong.code, 2)
    t.match(wrong.stderr, /edge\.yaml:1:\d+ limits\.requestTargetBytes/)
    here.edge.signal('SIGHUP')
    await here.edge.untilLogged(/the old one stays in force/)
    t.equal(
      (await run(here.curl(tunnel.name, long, '--write-out', '%{http_code}', '--output', '/dev/null'))).stdout,
      '414',
    )

    writeFileSync(file, '')
    here.edge.signal('SIGHUP')
    await here.edge.untilLogged(/"applied":\["limits.requestTargetBytes"\],"later":\[\]/)
    t.equal(
      (await run(here.curl(tunnel.name, long, '--write-out', '%{http_code}', '--output', '/dev/null'))).stdout,
      '200',
    )

    const mark = here.edge.mark
    const [, serving = 0] = familyOf(here.edge.pid)
    const killedAt = performance.now()
    process.kill(serving, 'SIGKILL')
    await here.edge.until('ready', { after: mark })
    t.comment(
      `after kill -9 of the serving process another one was ready in ${Math.round(performance.now() - killedAt)} ms`,
    )
    await here.edge.until('tunnel_open', { after: mark, witnesses: [agent] })
    t.match(JSON.parse((await run(here.curl(tunnel.name, '/'))).stdout), { label: 'web' })
    t.not(familyOf(here.edge.pid)[1], serving)

    // Resolves when the last process that writes to its pipes has ended.
    await here.edge.kill()
    await here.startEdge()
  },
)
