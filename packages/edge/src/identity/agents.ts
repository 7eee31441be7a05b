import { EngawaError } from '@engawa/shared/errors'
import { parseName } from '@engawa/shared/names'
import { quoted } from '@engawa/shared/say'
import type { AgentRow } from '../store/agents.ts'
import type { Store } from '../store/store.ts'

/** Decisions about agents, on the store alone; live sessions are the gatekeeper's. `now` is wall-clock milliseconds. */

/** Takes the agent's key, names and ports away. Idempotent. Throws AGENT_UNKNOWN. */
export function revokeAgent(store: Store, name: string, now: number): AgentRow {
  return store.transaction(() => {
    const agent = demandAgent(store, name)
    store.invitations.withdraw(agent.name)
    store.leases.removeOf(agent.id)
    if (agent.key !== undefined) store.agents.revoke(agent.id, now)
    return agent
  })
}

/** Throws AGENT_UNKNOWN, NAME_INVALID, NAME_TAKEN. */
export function renameAgent(store: Store, from: string, to: string): AgentRow {
  return store.transaction(() => {
    const agent = demandAgent(store, from)
    const name = parseName(to)
    if (name === agent.name) return agent
    if (store.agents.byName(name) !== undefined) {
      throw new EngawaError('NAME_TAKEN', `another agent is called ${name}`, {
        ja: `${name} という名前のエージェントがすでにあります`,
      })
    }
    store.agents.rename(agent.id, name)
    store.invitations.rename(agent.name, name)
    return { ...agent, name }
  })
}

/** The agent gives its identity back: its name is free for anyone, and only that its key was good once is still known. */
export function forgetAgent(store: Store, id: number, now: number): void {
  store.transaction(() => store.agents.remove(id, now))
}

/** Throws AGENT_UNKNOWN. */
export function demandAgent(store: Store, name: string): AgentRow {
  const agent = store.agents.byName(asciiOf(name))
  if (agent !== undefined) return agent
  throw new EngawaError('AGENT_UNKNOWN', `no agent is called ${quoted(name)}; edge agents lists them`, {
    ja: `${quoted(name)} というエージェントはありません。edge agents で一覧できます`,
  })
}

/** As names are kept; what is none is nobody's. */
function asciiOf(name: string): string {
  try {
    return parseName(name)
  } catch {
    return ''
  }
}
