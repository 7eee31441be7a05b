import type { Clock } from '@engawa/shared/carrier/clock'
import type { Code } from '@engawa/shared/errors'
import type { Store } from '../store/store.ts'
import { AgentLink, type LinkObserver, type LinkOptions } from '../tunnel/attach.ts'
import type { Registry } from '../tunnel/registry.ts'
import { Sightings } from './sightings.ts'

/** What happens to sessions, for events and logs. */
export interface GateObserver {
  online(link: AgentLink): void
  offline(link: AgentLink, code: Code, reason: string): void
  resumed(link: AgentLink, awayMs: number, streams: number): void
  carrierLost(link: AgentLink, carrier: number, left: number, why: string): void
  /** It asked for a name or port in vain. */
  refused(link: AgentLink, code: Code): void
  /** A fault of ours. */
  failed(agent: string, error: unknown): void
}

export interface SessionsOptions {
  readonly store: Store
  readonly registry: Registry
  readonly observer: GateObserver
  readonly clock: Clock
  /** An agent gives its identity back; throws when that fails. Its session is ended afterwards. */
  readonly left: (agent: number) => void
}

/** The sessions that stand, of whatever agent, and which of them have their agent there. */
export class Sessions {
  readonly #options: SessionsOptions
  readonly #byId = new Map<string, AgentLink>()
  /** Those whose agent is there now, as events have told. */
  readonly #present = new Set<AgentLink>()
  readonly #sightings: Sightings
  /** Of no meaning before this generation is relieved. */
  readonly #allMoved: PromiseWithResolvers<void> = Promise.withResolvers()

  constructor(options: SessionsOptions) {
    this.#options = options
    const { store, clock, registry, observer } = options
    this.#sightings = new Sightings(store, clock, (agent, error) => observer.failed(registry.agentName(agent), error))
  }

  get all(): readonly AgentLink[] {
    return [...this.#byId.values()]
  }

  get(session: string): AgentLink | undefined {
    return this.#byId.get(session)
  }

  of(agent: number): readonly AgentLink[] {
    return this.all.filter(({ agentId }) => agentId === agent)
  }

  /** A new one; its agent is there only when `stands` says so. */
  begin(made: Omit<LinkOptions, 'registry' | 'observer' | 'clock'>): AgentLink {
    const { registry, clock } = this.#options
    const link = new AgentLink({ ...made, registry, clock, observer: this.#hears() })
    this.#byId.set(made.session, link)
    this.#sightings.note(made.agentId)
    return link
  }

  /** Its first carrier stands. */
  stands(link: AgentLink): void {
    if (link.ended) return
    this.#present.add(link)
    this.#options.observer.online(link)
  }

  /** Ends every session of an agent. */
  end(agent: number, code: Code, reason: string): void {
    for (const link of this.of(agent)) link.end(code, reason)
  }

  /** Ends every session, when the edge stops. */
  close(code: Code, reason: string): void {
    for (const link of this.all) link.end(code, reason)
    this.#sightings.write()
  }

  /** Resolves when every agent that is here has a session with the generation that has taken over, at the latest after `mostMs`. */
  moved(mostMs: number): Promise<void> {
    const { clock } = this.#options
    const timer = clock.setTimer(() => this.#allMoved.resolve(), mostMs)
    this.lookMoved()
    return this.#allMoved.promise.then(() => clock.clearTimer(timer))
  }

  /** An agent has moved or gone: perhaps it was the last one. */
  lookMoved(): void {
    const { registry } = this.#options
    if (registry.retired && this.all.every(({ agentId }) => registry.hasMoved(agentId))) this.#allMoved.resolve()
  }

  #hears(): LinkObserver {
    const { observer, registry, left } = this.#options
    const gone = (link: AgentLink, code: Code, reason: string): void => {
      if (!registry.hasMoved(link.agentId)) observer.offline(link, code, reason)
    }
    return {
      left: (link) => left(link.agentId),
      carrierLost: (link, carrier, still, why) => observer.carrierLost(link, carrier, still, why),
      away: (link) => {
        this.#sightings.note(link.agentId)
        if (this.#present.delete(link)) gone(link, 'CARRIER_LOST', 'its last carrier is gone')
      },
      resumed: (link, awayMs, streams) => {
        this.#present.add(link)
        observer.resumed(link, awayMs, streams)
      },
      ended: (link, code, reason) => {
        this.#byId.delete(link.session)
        this.lookMoved()
        this.#sightings.note(link.agentId)
        if (this.#present.delete(link)) gone(link, code, reason)
      },
      refused: (link, code) => observer.refused(link, code),
      failed: (link, error) => observer.failed(link.agent, error),
    }
  }
}
