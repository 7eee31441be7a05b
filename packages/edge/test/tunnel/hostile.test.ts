import t from 'tap'
import { turns } from '../support/manual-clock.ts'
import { gate } from '../support/gate.ts'

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
