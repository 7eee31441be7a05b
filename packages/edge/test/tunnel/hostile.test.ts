import t from 'tap'
import { gate } from '../support/gate.ts'
import { turns } from '../support/manual-clock.ts'

/** A probe that answers when the test says so. */
function slowProbe(): { probe: () => Promise<undefined>; asked: Promise<void>; answer: () => void } {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<undefined>()
  return {
    probe: () => {
      asked.resolve()
      return answer.promise
    },
    asked: asked.promise,
    answer: () => answer.resolve(undefined),
  }
}

const below = (...labels: string[]): string[] => labels.map((label) => `${label}.example.com`)

t.test('an agent that is revoked while its ports are tried gets nothing', async (t) => {
  const { probe, asked, answer } = slowProbe()
  const { agent, keeper, registry, store, ports, told } = gate(t, { probe })
  const evil = await agent('evil').login()
  await evil.send({ type: 'bind', service: 1, name: 'ssh', protocol: 'tcp', port: [2222, 2222], target: '22' })
  await asked
  keeper.revoke('evil')
  answer()
  await turns()
  t.same(store.leases.all(), [], 'no name is held by nobody')
  t.same(registry.all(), [])
  t.same(ports, [], 'and no port was opened')
  t.same(told, ['online evil', 'offline evil REVOKED'])
})

t.test('a session that was replaced while its ports were tried takes nothing from its successor', async (t) => {
  const { probe, asked, answer } = slowProbe()
  const { agent, registry } = gate(t, { probe })
  const home = await agent('home').login()
  await home.send({ type: 'bind', service: 1, name: 'ssh', protocol: 'tcp', port: [2222, 2222], target: '22' })
  await asked
  await home.login()
  const bound = home.bind({ name: 'ssh', service: 9 })
  await turns()
  answer()
  t.match(await bound, { type: 'bound' })
  await turns()
  t.equal(registry.byHost('ssh.example.com', '/')?.live?.service, 9)
})

t.test('a domain, a name or a room that another has taken while ports were tried is not had twice', async (t) => {
  const { probe, asked, answer } = slowProbe()
  const face = { domain: 'localhost', host: '203.0.113.5', http: 8080, https: undefined, portPerHttp: true }
  let slow = true
  const { agent, registry } = gate(t, {
    probe: () => {
      if (!slow) return Promise.resolve(undefined)
      slow = false
      return probe()
    },
    flags: { domain: 'localhost' },
    face,
  })
  const hosts = ['www.a.jp']
  const [home, villa] = [await agent('home', { hosts }).login(), await agent('villa', { hosts }).login()]
  const late = home.bind({ name: 'blog', hosts })
  await asked
  t.match(await villa.bind({ name: 'shop', hosts }), { type: 'bound' })
  answer()
  t.match(await late, { type: 'refused', code: 'HOST_TAKEN' })
  t.equal(registry.byHost('www.a.jp', '/')?.name, 'shop')
  t.same(
    registry.all().map(({ name }) => name),
    ['shop'],
  )
})

t.test('hosts below the edge’s domain are names, and count as names do', async (t) => {
  const { agent, registry } = gate(t, { config: 'limits: { perAgent: { names: 5 } }' })
  const evil = await agent('evil', { hosts: ['*.evil.test'] }).login()
  t.match(await evil.bind({ name: 'a', hosts: below('b', 'c') }), { type: 'bound' })
  t.match(await evil.bind({ name: 'd', service: 2, hosts: below('e', 'f') }), { code: 'TUNNEL_LIMIT' }, 'six names')
  t.match(await evil.bind({ name: 'd', service: 2, hosts: below('e') }), { type: 'bound' }, 'five')
  t.match(await evil.bind({ name: 'f', service: 3 }), { code: 'TUNNEL_LIMIT' })
  t.match(await evil.bind({ name: 'b', service: 3 }), { type: 'bound' }, 'what it holds may be had as a tunnel too')
  t.match(await evil.bind({ name: 'a', hosts: below('c', 'f') }), { code: 'TUNNEL_LIMIT' })
  const own = ['1', '2', '3', '4', '5', '6'].map((label) => `${label}.evil.test`)
  t.match(await evil.bind({ name: 'a', hosts: own }), { code: 'TUNNEL_LIMIT' }, 'own domains have the same limit')
  t.match(await evil.bind({ name: 'a', hosts: own.slice(1) }), { type: 'bound' })
  t.equal(registry.byHost('c.example.com', '/'), undefined, 'a host that was given up is free')
  const good = await agent('good').login()
  t.match(await good.bind({ name: 'c' }), { type: 'bound' })
  t.match(await good.bind({ name: 'e', service: 2 }), { code: 'NAME_TAKEN' })
})

t.test('a session has so many carriers and no more', async (t) => {
  const { agent } = gate(t)
  const evil = await agent('evil').login()
  for (let n = 2; n <= 16; n++) await evil.attach()
  await t.rejects(evil.attach(), { code: 'TOO_MANY_ATTEMPTS' })
  t.equal(evil.ended, undefined)
  await evil.cut()
  await evil.attach()
})

t.test('the answer to a bind fits into a message, however long its addresses are', async (t) => {
  const { agent, registry, told } = gate(t)
  const home = await agent('home').login()
  t.match(await home.bind({ name: 'a', path: `/${'p'.repeat(1000)}` }), { code: 'FLAG_INVALID' })
  t.same(registry.all(), [])
  const hosts = Array.from({ length: 99 }, (_, n) => `${'h'.repeat(60)}${n}.example.com`)
  const bound = await home.bind({ name: 'a'.repeat(63), path: `/${'p'.repeat(511)}`, hosts })
  t.match(bound, { type: 'bound' })
  t.ok('urls' in bound && bound.urls.length > 30, 'not all of them')
  t.equal(registry.all()[0]?.urls.length, 200)
  t.same(
    told.filter((line) => line.startsWith('failed')),
    [],
  )
})
