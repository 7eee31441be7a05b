// Writes state for ever, and says on stdout what is on disk by now: one line after each call that has returned.
// Arguments: the folder, and the first number to use.
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { NO_RULES } from '@engawa/edge/guard/rules'
import { revokeAgent } from '@engawa/edge/identity/agents'
import { storePath } from '@engawa/edge/state'
import { openStore } from '@engawa/edge/store/store'

const [, , folder = '', first = '0'] = process.argv
const store = openStore(storePath(folder))
/** Synchronous: what was said was true before this process could be killed. */
const said = (what: string, name: string): number => writeSync(1, `${what} ${name}\n`)
said('ready', '-')

for (let number = Number(first); ; number++) {
  const name = `n${number}`
  const key = createHash('sha256').update(name).digest()
  store.transaction(() => {
    store.agents.add({ name, key, grant: { hosts: [] }, now: number })
    store.invitations.add({ hash: key, name, grant: undefined, madeAt: number, expiresAt: 2 ** 48 })
    store.invitations.use(key, key, number)
  })
  said('joined', name)
  const { id = 0 } = store.agents.byName(name) ?? {}
  const lease = { name, agent: id, protocol: 'http', hosts: [], path: undefined, ports: undefined } as const
  store.leases.put({ ...lease, target: '8080', bare: false, balance: false, published: true, rules: NO_RULES }, number)
  said('leased', name)
  if (number % 2 === 0) {
    revokeAgent(store, name, number)
    said('revoked', name)
  }
}
