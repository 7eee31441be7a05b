import { join } from 'node:path'
import { NO_RULES } from '@engawa/edge/guard/rules'
import { demandAgent, forgetAgent, renameAgent, revokeAgent } from '@engawa/edge/identity/agents'
import type { Grant } from '@engawa/edge/identity/grant'
import { type Invitation, invite, type Joining, useInvitation } from '@engawa/edge/identity/invitations'
import { openStore, type Store } from '@engawa/edge/store/store'
import { decodeJoin } from '@engawa/shared/join'
import t, { type Test } from 'tap'

const HOUR = 3_600_000
const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

function storeOf(t: Test): Store {
  const store = openStore(join(t.testdir({}), 'edge.db'))
  t.teardown(() => store.close())
  return store
}

function inviteTo(store: Store, name: string, grant?: Grant): Invitation {
  return invite(store, { name, expiresMs: HOUR, grant, addresses: ['a.jp:443'], pin: key(7), now: 0 })
}

function useLine(store: Store, { line }: Invitation, by: Uint8Array, now = 1): Joining {
  return useInvitation(store, { secret: decodeJoin(line).secret, key: by, now })
}

t.test('an invitation works once [H4]', async (t) => {
  const store = storeOf(t)
  const invitation = inviteTo(store, 'Home')
  t.match(invitation, { agent: 'home', expiresAt: HOUR, replaces: false })
  t.same(decodeJoin(invitation.line).addresses, ['a.jp:443'])
  const { agent, replaced } = useLine(store, invitation, key(1))
  t.match(agent, { name: 'home', grant: { hosts: [] } })
  t.notOk(replaced)
  t.equal(useLine(store, invitation, key(1), HOUR - 1).agent.id, agent.id, 'the same key again')
  t.throws(() => useLine(store, invitation, key(2)), { code: 'INVITATION_USED' })
  t.throws(() => useLine(store, invitation, key(1), HOUR), { code: 'INVITATION_EXPIRED' })
})

t.test('expired and unknown ones are told apart; the secret is not in the store', async (t) => {
  const store = storeOf(t)
  const invitation = inviteTo(store, 'home')
  t.throws(() => useLine(store, invitation, key(1), HOUR), { code: 'INVITATION_EXPIRED' })
  t.throws(() => useInvitation(store, { secret: key(0), key: key(1), now: 1 }), { code: 'INVITATION_UNKNOWN' })
  const { secret } = decodeJoin(invitation.line)
  t.equal(store.invitations.byHash(secret), undefined)
  t.throws(() => inviteTo(store, 'a.b'), { code: 'NAME_INVALID' })
})

t.test('one for a known name replaces its key; names pass on', async (t) => {
  const store = storeOf(t)
  const grant = { names: ['blog'], hosts: ['www.a.jp'] }
  const { agent } = useLine(store, inviteTo(store, 'home', grant), key(1))
  store.leases.put(
    {
      name: 'blog',
      agent: agent.id,
      protocol: 'http',
      hosts: [],
      path: undefined,
      ports: undefined,
      target: '',
      bare: false,
      balance: false,
      published: true,
      rules: NO_RULES,
    },
    1,
  )
  const replacing = inviteTo(store, 'home')
  t.ok(replacing.replaces)
  t.equal(store.agents.byName('home')?.key?.[0], 1, 'nothing changes before it is used')
  const joined = useLine(store, replacing, key(2))
  t.match(joined, { replaced: true, agent: { id: agent.id, grant } })
  t.match(store.leases.all(), [{ name: 'blog', agent: agent.id }])
  t.equal(store.agents.formerOwner(key(1)), 'home')
  t.throws(() => useLine(store, inviteTo(store, 'home'), key(1)), { code: 'REVOKED' })
  const narrowed = useLine(store, inviteTo(store, 'home', { names: ['x'], hosts: [] }), key(2))
  t.match(narrowed, { replaced: false, agent: { grant: { names: ['x'] } } })
  t.equal(store.agents.formerOwner(key(2)), undefined, 'a key that is kept is no old one')
  t.throws(() => useLine(store, inviteTo(store, 'other'), key(2)), { code: 'INVITATION_USED', message: /home/ })
})

t.test('a revoked agent keeps nothing and cannot come back', async (t) => {
  const store = storeOf(t)
  const first = inviteTo(store, 'home')
  const { agent } = useLine(store, first, key(1))
  store.leases.put(
    {
      name: 'blog',
      agent: agent.id,
      protocol: 'http',
      hosts: [],
      path: undefined,
      ports: undefined,
      target: '',
      bare: false,
      balance: false,
      published: true,
      rules: NO_RULES,
    },
    1,
  )
  const printedBefore = inviteTo(store, 'home')
  revokeAgent(store, 'home', 2)
  revokeAgent(store, 'HOME', 3)
  t.match(store.agents.byName('home'), { key: undefined, revokedAt: 2 })
  t.same(store.leases.all(), [])
  t.throws(() => useLine(store, first, key(1)), { code: 'REVOKED' })
  t.throws(() => useLine(store, printedBefore, key(2)), { code: 'INVITATION_UNKNOWN' })
  const again = inviteTo(store, 'home')
  t.notOk(again.replaces)
  t.match(useLine(store, again, key(2)), { replaced: false, agent: { revokedAt: undefined } })
})

t.test('renaming and forgetting', async (t) => {
  const store = storeOf(t)
  const { agent } = useLine(store, inviteTo(store, 'home'), key(1))
  useLine(store, inviteTo(store, 'other'), key(2))
  t.throws(() => renameAgent(store, 'home', 'other'), { code: 'NAME_TAKEN', ja: /すでに/ })
  t.throws(() => renameAgent(store, 'none', 'x'), { code: 'AGENT_UNKNOWN', ja: /一覧/ })
  t.throws(() => renameAgent(store, 'home', 'x.y'), { code: 'NAME_INVALID' })
  const open = inviteTo(store, 'home')
  t.equal(renameAgent(store, 'home', 'Villa').name, 'villa')
  t.match(useLine(store, open, key(3)), { agent: { id: agent.id, name: 'villa' }, replaced: true })
  t.equal(renameAgent(store, 'villa', '縁側').name, 'xn--2yq632i')
  t.equal(renameAgent(store, '縁側', 'villa').name, 'villa', 'as it was typed')
  forgetAgent(store, agent.id, 1)
  t.throws(() => demandAgent(store, 'villa'), { code: 'AGENT_UNKNOWN' })
  t.throws(() => useLine(store, inviteTo(store, 'villa'), key(3)), { code: 'REVOKED' }, 'its key stays an old one')
  t.match(useLine(store, inviteTo(store, 'villa'), key(4)), { replaced: false })
})
