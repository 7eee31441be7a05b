import { EngawaError } from '@engawa/shared/errors'
import type { ReadyEvent } from '../events.ts'
import type { Gatekeeper } from '../identity/gatekeeper.ts'
import type { EdgeFigures } from '../metrics/figures.ts'
import type { ReloadReport } from '../reload.ts'
import { remoteOf } from '../report.ts'
import type { Store } from '../store/store.ts'
import type { PublicTls } from '../tls/open.ts'
import type { Live, TunnelTable } from '../tunnel/tunnel.ts'
import { version } from '../version.ts'
import { carriersOf } from './carriers.ts'
import type { Office } from './office.ts'
import { type Presence, StorePeople } from './people.ts'
import type {
  AgentReport,
  InvitationReport,
  InvitationRequest,
  StatusReport,
  TunnelReport,
  UpgradeReport,
} from './schemas.ts'

export interface LiveOfficeOptions {
  readonly figures: EdgeFigures
  readonly store: Store
  readonly pin: Uint8Array
  readonly gatekeeper: Gatekeeper
  readonly table: TunnelTable
  readonly folder: string
  readonly generation: number
  readonly certificates: Pick<PublicTls, 'kept' | 'fileProblems'>
  /** Undefined until it is ready. */
  readonly ready: () => ReadyEvent | undefined
  readonly draining: () => boolean
  readonly reload?: (() => ReloadReport) | undefined
}

/** Answers for a running edge. */
export class LiveOffice implements Office {
  readonly #options: LiveOfficeOptions
  readonly #people: StorePeople
  readonly #started = Date.now()
  readonly #startedAt = performance.now()

  constructor(options: LiveOfficeOptions) {
    const { store, pin } = options
    this.#options = options
    this.#people = new StorePeople({ store, pin: () => pin, presence: (agent) => this.#presence(agent) })
  }

  agents(): AgentReport[] {
    return this.#people.agents()
  }

  invite(request: InvitationRequest): InvitationReport {
    return this.#people.invite(request)
  }

  metrics(): Promise<string> {
    return this.#options.figures.text()
  }

  revoke(name: string): string {
    return this.#options.gatekeeper.revoke(name)
  }

  rename(from: string, to: string): string {
    return this.#options.gatekeeper.rename(from, to)
  }

  tunnels(): TunnelReport[] {
    const now = performance.now()
    return this.#options.table.all().map((tunnel) => ({
      name: tunnel.name,
      agent: tunnel.agent,
      protocol: tunnel.protocol,
      public: tunnel.public,
      urls: [...tunnel.urls],
      target: tunnel.target,
      live: tunnel.live !== undefined,
      ...tunnel.traffic,
      ...this.#wayOf(tunnel.live, now),
    }))
  }

  status(): StatusReport {
    const { ready: readiness, draining: drains, gatekeeper, table, folder, generation, store } = this.#options
    const ready = readiness()
    const draining = drains()
    const { sessions } = gatekeeper
    const tunnels = table.all()
    const moved = (figure: 'received' | 'sent'): number =>
      tunnels.reduce((all, { traffic }) => all + traffic[figure], 0)
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
        online: sessions.filter(({ paused }) => !paused).length,
        known: store.agents.all().filter(({ key }) => key !== undefined).length,
      },
      links: sessions.map((link) => ({
        agent: link.agent,
        session: link.session,
        carriers: carriersOf(link, performance.now()),
      })),
      tunnels: { live: tunnels.filter(({ live }) => live !== undefined).length, all: tunnels.length },
      certificates: this.#certificates(),
      streams: sessions.reduce((sum, { figures }) => sum + figures.streams, 0),
      received: moved('received'),
      sent: moved('sent'),
      memoryBytes: process.memoryUsage.rss(),
      generations: [
        {
          generation,
          pid: process.pid,
          version: version(),
          state: draining ? 'draining' : ready === undefined ? 'starting' : 'serving',
          agents: sessions.length,
          streams: sessions.reduce((sum, { figures }) => sum + figures.streams, 0),
          memoryBytes: process.memoryUsage.rss(),
        },
      ],
    }
  }

  #certificates(): StatusReport['certificates'] {
    const { certificates } = this.#options
    const kept = certificates.kept().map(({ names, until, problem, nextTryAt }) => ({
      names: [...names],
      until: time(until),
      problem: problem && { kind: problem.kind, host: problem.host, detail: problem.detail },
      nextTry: time(nextTryAt),
    }))
    const files = certificates.fileProblems().map(({ name, problem }) => ({
      names: [name],
      problem: { kind: 'file' as const, host: name, detail: problem },
    }))
    return [...kept, ...files]
  }

  reload(): ReloadReport {
    const { reload } = this.#options
    if (reload === undefined) throw new EngawaError('INTERNAL', 'this edge has no configuration to read again')
    return reload()
  }

  upgrade(): Promise<UpgradeReport> {
    return Promise.reject(new EngawaError('INTERNAL', 'this edge runs without a front'))
  }

  /** Carriers and service: the way behind the edge. */
  #wayOf(live: Live | undefined, now: number): Pick<TunnelReport, 'carriers' | 'service'> {
    const link = this.#options.gatekeeper.sessions.find(({ session }) => session === live?.link.session)
    if (live === undefined || link === undefined) return { carriers: [] }
    const finding = link.findingOf(live.service)
    return {
      carriers: carriersOf(link, now),
      ...(finding && {
        service: {
          reachable: finding.code === undefined,
          ...(finding.code && { code: finding.code }),
          ageMs: Math.round(now - finding.at),
        },
      }),
    }
  }

  #presence(agent: number): Presence | undefined {
    const link = this.#options.gatekeeper.sessions.findLast(({ agentId }) => agentId === agent)
    if (link === undefined) return undefined
    return {
      state: link.paused ? 'away' : 'online',
      session: link.session,
      remote: remoteOf(link),
      carriers: link.carriers.length,
      since: link.since,
    }
  }
}

function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
