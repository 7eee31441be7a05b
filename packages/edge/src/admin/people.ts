import { EngawaError } from '@engawa/shared/errors'
import { parseDuration } from '@engawa/shared/quantities'
import { quoted } from '@engawa/shared/say'
import { renameAgent, revokeAgent } from '../identity/agents.ts'
import { parseGrant } from '../identity/grant.ts'
import { invite } from '../identity/invitations.ts'
import type { AgentRow } from '../store/agents.ts'
import type { Effective } from '../store/meta.ts'
import type { Store } from '../store/store.ts'
import type { AgentReport, InvitationReport, InvitationRequest } from './schemas.ts'

const EXPIRES_MS = 3_600_000
const LEAST_MS = 1_000
const MOST_MS = 30 * 86_400_000

/** An agent's live session. */
export interface Presence {
  readonly state: 'online' | 'away'
  readonly session: string
  readonly remote: string
  readonly carriers: number
  /** Wall-clock milliseconds. */
  readonly since: number
}

/** The people as the store alone knows them: what can be said and done while no edge runs. */
export class StorePeople {
  readonly store: Store
  readonly #pin: () => Uint8Array

  readonly #presence: (agent: number) => Presence | undefined

  /** `pin`: the carrier CA's, which goes into join lines. `presence`: what is known of an agent beyond the store. */
  constructor({
    store,
    pin,
    presence = () => undefined,
  }: {
    store: Store
    pin: () => Uint8Array
    presence?: (agent: number) => Presence | undefined
  }) {
    this.store = store
    this.#pin = pin
    this.#presence = presence
  }

  agents(): AgentReport[] {
    const held = new Map<number, number>()
    for (const { agent } of this.store.leases.all()) held.set(agent, (held.get(agent) ?? 0) + 1)
    return this.store.agents.all().map((row) => report(row, held.get(row.id) ?? 0, this.#presence(row.id)))
  }

  invite(request: InvitationRequest): InvitationReport {
    const { name, addresses, reach } = { name: request.name, ...this.#effective() }
    const made = invite(this.store, {
      name,
      expiresMs: parseExpires(request.expires),
      grant: parseGrant({
        names: request.names?.join(','),
        ports: request.ports?.join(','),
        hosts: request.hosts?.join(','),
      }),
      addresses,
      pin: this.#pin(),
      now: Date.now(),
    })
    return {
      name: made.agent,
      line: `agent join ${made.line}`,
      expires: new Date(made.expiresAt).toISOString(),
      addresses: [...addresses],
      reach,
      replaces: made.replaces,
    }
  }

  revoke(name: string): AgentRow {
    return revokeAgent(this.store, name, Date.now())
  }

  rename(from: string, to: string): AgentRow {
    return renameAgent(this.store, from, to)
  }

  #effective(): Effective {
    const { effective } = this.store.meta
    if (effective !== undefined) return effective
    throw new EngawaError('NO_STATE', 'this edge has never been ready: start it with edge run', {
      ja: 'このエッジはまだ一度も起動に成功していません。edge run で起動してください',
    })
  }
}

function report(row: AgentRow, tunnels: number, presence: Presence | undefined): AgentReport {
  const since = presence?.since ?? row.revokedAt ?? row.seenAt
  return {
    name: row.name,
    state: presence?.state ?? (row.key === undefined ? 'revoked' : 'offline'),
    ...(presence === undefined ? {} : { session: presence.session, remote: presence.remote }),
    carriers: presence?.carriers ?? 0,
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
    joined: new Date(row.joinedAt).toISOString(),
    tunnels,
  }
}

function parseExpires(text: string | undefined): number {
  if (text === undefined) return EXPIRES_MS
  const ms = parseDuration(text)
  if (ms >= LEAST_MS && ms <= MOST_MS) return ms
  throw new EngawaError('FLAG_INVALID', `--expires ${quoted(text)}: write 1s to 30d, such as 30m, 1h or 7d`, {
    ja: `--expires ${quoted(text)}: 30m、1h、7d のように、1s から 30d までで書いてください`,
  })
}
