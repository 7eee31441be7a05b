import type { Office } from '../admin/office.ts'
import type { AgentReport, InvitationReport, InvitationRequest, StatusReport, TunnelReport } from '../admin/schemas.ts'
import type { ReloadReport } from '../reload.ts'
import type { Peers } from './peers.ts'

/** Answers for all generations: what people ask is asked of every one, and told as one edge. */
export class SharedOffice implements Office {
  readonly #own: Office
  readonly #others: Pick<Peers, 'ask' | 'upgrade' | 'pid'>

  constructor(own: Office, others: Pick<Peers, 'ask' | 'upgrade' | 'pid'>) {
    this.#own = own
    this.#others = others
  }

  async agents(): Promise<AgentReport[]> {
    const elsewhere = (await this.#others.ask<AgentReport[]>({ question: 'agents' })).flat()
    const there = new Map(elsewhere.flatMap((report) => (isThere(report) ? [[report.name, report] as const] : [])))
    const own = await this.#own.agents()
    // Until its agent has come here, it is where it was.
    return own.map((report) => (isThere(report) ? report : (there.get(report.name) ?? report)))
  }

  async tunnels(): Promise<TunnelReport[]> {
    const elsewhere = (await this.#others.ask<TunnelReport[]>({ question: 'tunnels' })).flat()
    return (await this.#own.tunnels()).map((own) =>
      elsewhere.filter(({ name }) => name === own.name).reduce(added, own),
    )
  }

  async status(): Promise<StatusReport> {
    const elsewhere = await this.#others.ask<StatusReport>({ question: 'status' })
    const own = await this.#own.status()
    const all = [own, ...elsewhere]
    const sum = (of: (status: StatusReport) => number): number => all.reduce((total, status) => total + of(status), 0)
    const agents = new Set(
      all.flatMap(({ links }) => links.flatMap((link) => (link.carriers.length > 0 ? link.agent : []))),
    )
    return {
      ...own,
      pid: this.#others.pid,
      agents: { ...own.agents, online: agents.size },
      links: all.flatMap(({ links }) => links),
      streams: sum(({ streams }) => streams),
      received: sum(({ received }) => received),
      sent: sum(({ sent }) => sent),
      memoryBytes: sum(({ memoryBytes }) => memoryBytes),
      generations: all.flatMap(({ generations }) => generations).toSorted((a, b) => a.generation - b.generation),
    }
  }

  invite(request: InvitationRequest): InvitationReport | Promise<InvitationReport> {
    return this.#own.invite(request)
  }

  revoke(name: string): string | Promise<string> {
    return this.#own.revoke(name)
  }

  rename(from: string, to: string): string | Promise<string> {
    return this.#own.rename(from, to)
  }

  reload(): ReloadReport | Promise<ReloadReport> {
    return this.#own.reload()
  }

  /** Of the process that serves: a Prometheus adds nothing up over restarts, and one of these is no more than that. */
  metrics(): Promise<string> {
    return this.#own.metrics()
  }

  upgrade(): Promise<{ generation: number; pid: number }> {
    return this.#others.upgrade()
  }
}

function isThere({ state }: AgentReport): boolean {
  return state === 'online' || state === 'away'
}

/** The same tunnel in another generation: visitors who came before the upgrade are still there. */
function added(own: TunnelReport, other: TunnelReport): TunnelReport {
  return {
    ...own,
    live: own.live || other.live,
    received: own.received + other.received,
    sent: own.sent + other.sent,
    dropped: own.dropped + other.dropped,
    total: own.total + other.total,
    open: own.open + other.open,
    carriers: own.carriers.length > 0 ? own.carriers : other.carriers,
  }
}
