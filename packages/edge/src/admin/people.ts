import { EngawaError } from '@engawa/shared/errors'
import { parseDuration } from '@engawa/shared/quantities'
import { quoted } from '@engawa/shared/say'
import { renameAgent, revokeAgent } from '../identity/agents.ts'
import { parseGrant } from '../identity/grant.ts'
import { invite } from '../identity/invitations.ts'
import type { AgentRow } from '../store/agents.ts'
import type { Effective } from '../store/meta.ts'
import type { Store } from '../store/store.ts'
import type { People } from './office.ts'
import type { AgentReport, InvitationReport, InvitationRequest } from './schemas.ts'

const EXPIRES_MS = 3_600_000
const LEAST_MS = 1_000
const MOST_MS = 30 * 86_400_000

/** The people as the store alone knows them: what can be said and done while no edge runs. */
export class StorePeople implements People {
  readonly store: Store
  readonly #pin: () => Uint8Array

  /** `pin`: the carrier CA's, which goes into join lines. */
  constructor({ store, pin }: { store: Store; pin: () => Uint8Array }) {
    this.store = store
    this.#pin = pin
  }

  agents(): AgentReport[] {
    const held = new Map<number, number>()
    for (const { agent } of this.store.leases.all()) held.set(agent, (held.get(agent) ?? 0) + 1)
    return this.store.agents.all().map((row) => report(row, held.get(row.id) ?? 0))
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

  revoke(name: string): void {
    revokeAgent(this.store, name, Date.now())
  }

  rename(from: string, to: string): string {
    return renameAgent(this.store, from, to).name
  }

  #effective(): Effective {
    const { effective } = this.store.meta
    if (effective !== undefined) return effective
    throw new EngawaError('NO_STATE', 'this edge has never been ready: start it with edge run', {
      ja: 'このエッジはまだ一度も起動に成功していません。edge run で起動してください',
    })
  }
}

function report(row: AgentRow, tunnels: number): AgentReport {
  const since = row.revokedAt ?? row.seenAt
  return {
    name: row.name,
    state: row.key === undefined ? 'revoked' : 'offline',
    carriers: 0,
    joined: new Date(row.joinedAt).toISOString(),
    tunnels,
    ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
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
