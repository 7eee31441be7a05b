import type { ReadyEvent } from '../events.ts'
import type { Store } from '../store/store.ts'
import type { TunnelTable } from '../tunnel/tunnel.ts'
import type { Office } from './office.ts'
import { type Presence, StorePeople } from './people.ts'
import type { AgentReport, InvitationReport, InvitationRequest, StatusReport, TunnelReport } from './schemas.ts'

/** What the office asks of, and tells, the sessions. */
export interface LiveSessions {
  presence(agent: number): Presence | undefined
  /** Ends every session of the agent with REVOKED and closes what it held. */
  revoked(agent: number): void
  renamed(agent: number): void
  readonly online: number
  readonly streams: number
}

export interface LiveOfficeOptions {
  readonly store: Store
  readonly pin: Uint8Array
  readonly sessions: LiveSessions
  readonly table: TunnelTable
  readonly folder: string
  readonly generation: number
  /** Undefined until it is ready. */
  readonly ready: () => ReadyEvent | undefined
  readonly draining: () => boolean
}

/** Answers for a running edge. */
export class LiveOffice implements Office {
  readonly #options: LiveOfficeOptions
  readonly #people: StorePeople
  readonly #started = Date.now()
  readonly #startedAt = performance.now()

  constructor(options: LiveOfficeOptions) {
    const { store, pin, sessions } = options
    this.#options = options
    this.#people = new StorePeople({ store, pin: () => pin, presence: (agent) => sessions.presence(agent) })
  }

  agents(): AgentReport[] {
    return this.#people.agents()
  }

  invite(request: InvitationRequest): InvitationReport {
    return this.#people.invite(request)
  }

  revoke(name: string): void {
    this.#options.sessions.revoked(this.#people.revoke(name).id)
  }

  rename(from: string, to: string): string {
    const { id, name } = this.#people.rename(from, to)
    this.#options.sessions.renamed(id)
    return name
  }

  tunnels(): TunnelReport[] {
    return this.#options.table.all().map((tunnel) => ({
      name: tunnel.name,
      agent: tunnel.agent,
      protocol: tunnel.protocol,
      public: tunnel.public,
      urls: [...tunnel.urls],
      target: tunnel.target,
      live: tunnel.live !== undefined,
      ...tunnel.traffic,
    }))
  }

  status(): StatusReport {
    const { ready: readiness, draining: drains, sessions, table, folder, generation, store } = this.#options
    const ready = readiness()
    const draining = drains()
    const tunnels = table.all()
    const sum = (figure: 'received' | 'sent'): number => tunnels.reduce((all, { traffic }) => all + traffic[figure], 0)
    return {
      serves: ready !== undefined && !draining,
      draining,
      version: ready?.version ?? '',
      pid: process.pid,
      started: new Date(this.#started).toISOString(),
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      generation,
      domain: ready?.domain ?? '',
      http: ready?.http ?? 'off',
      https: ready?.https ?? 'off',
      carrier: ready?.carrier ?? 'off',
      admin: ready?.admin ?? 'off',
      data: folder,
      agents: {
        online: sessions.online,
        known: store.agents.all().filter(({ key }) => key !== undefined).length,
      },
      tunnels: { live: tunnels.filter(({ live }) => live !== undefined).length, all: tunnels.length },
      streams: sessions.streams,
      received: sum('received'),
      sent: sum('sent'),
      memoryBytes: process.memoryUsage.rss(),
    }
  }
}
