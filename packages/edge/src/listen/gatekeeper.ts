import { randomBytes } from 'node:crypto'
import { formatAddress } from '@engawa/shared/addresses'
import type { Clock } from '@engawa/shared/carrier/clock'
import type { Admission, Gatekeeper } from '@engawa/shared/carrier/handshake-edge'
import type { AttachBody, JoinBody, Joined, LoginBody } from '@engawa/shared/carrier/handshake-messages'
import { type Code, EngawaError } from '@engawa/shared/errors'
import { STREAM_FLOOR } from '@engawa/shared/wire/limits'
import type { Endpoint } from '@engawa/shared/wire/opening'
import type { LiveSessions } from '../admin/live.ts'
import type { Presence } from '../admin/people.ts'
import { forgetAgent } from '../identity/agents.ts'
import type { CarrierCa } from '../identity/carrier-ca.ts'
import { useInvitation } from '../identity/invitations.ts'
import type { EdgeLimits } from '../limits.ts'
import type { AgentRow } from '../store/agents.ts'
import type { Store } from '../store/store.ts'
import { AgentLink, type LinkObserver } from '../tunnel/attach.ts'
import type { Registry } from '../tunnel/registry.ts'
import { version } from '../version.ts'

const SESSION_BYTES = 16
const SECRET_BYTES = 32

export interface GatekeeperOptions {
  readonly store: Store
  readonly ca: CarrierCa
  readonly registry: Registry
  readonly generation: number
  readonly graceMs: number
  readonly limits: EdgeLimits['perAgent']
  readonly clock: Clock
  /** What agents are told to dial. */
  readonly addresses: () => readonly string[]
  readonly observer: SessionObserver
}

/** What becomes of sessions, in order. */
export interface SessionObserver extends Pick<LinkObserver, 'carrierLost' | 'away' | 'resumed' | 'ended' | 'failed'> {
  online(link: AgentLink): void
}

/** Decides who is let in, and keeps the sessions of those who are. protocol.md §2 */
export class SessionGate implements Gatekeeper, LiveSessions {
  readonly edge: Uint8Array
  readonly generation: number
  readonly software: string = `engawa-edge/${version()}`
  readonly #options: GatekeeperOptions
  readonly #links = new Map<string, AgentLink>()
  #draining = false

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.edge = options.ca.pin
    this.generation = options.generation
  }

  credentials(session: string): { key: string; secret: Uint8Array } | undefined {
    const link = this.#links.get(session)
    return link === undefined ? undefined : { key: link.key, secret: link.secret }
  }

  /** Throws AGENT_UNKNOWN, REVOKED, EDGE_DRAINING. */
  login(body: LoginBody, remote: Endpoint): Admission {
    if (this.#draining) throw new EngawaError('EDGE_DRAINING', 'the edge is stopping')
    const { store, generation, graceMs, limits, addresses } = this.#options
    const agent = this.#demand(body.key)
    this.#replace(agent.id, body.instance, remote)
    const session = randomBytes(SESSION_BYTES).toString('base64url')
    const secret = randomBytes(SECRET_BYTES)
    const maxStreams = Math.min(body.maxStreams, limits.streams)
    const link = new AgentLink({
      agentId: agent.id,
      session,
      instance: body.instance,
      key: body.key,
      secret,
      software: body.software,
      maxStreams,
      credit: body.credit,
      graceMs,
      limits,
      registry: this.#options.registry,
      observer: this.#observer(),
      clock: this.#options.clock,
    })
    this.#links.set(session, link)
    store.agents.seen(agent.id, Date.now())
    return {
      welcome: {
        agent: agent.name,
        session,
        secret: secret.toString('base64url'),
        carrier: 1,
        generation,
        graceMs,
        maxStreams,
        credit: STREAM_FLOOR,
        lost: [],
        members: [{ addresses: addresses() }],
      },
      start: (carrier) => {
        link.start(1, carrier)
        this.#options.observer.online(link)
      },
    }
  }

  /** Throws SESSION_UNKNOWN, CARRIER_STALE. */
  attach(body: AttachBody): Admission {
    const { generation, graceMs, addresses } = this.#options
    const link = this.#links.get(body.session)
    if (link === undefined || link.ended) throw new EngawaError('SESSION_UNKNOWN')
    if (!link.mayAttach(body.carrier)) throw new EngawaError('CARRIER_STALE')
    const lost = link.exchangeLost(body.carrier, body.lost)
    // What the agent reported may have broken the protocol.
    if (link.ended) throw new EngawaError('SESSION_UNKNOWN')
    return {
      welcome: {
        agent: link.agent,
        session: link.session,
        carrier: body.carrier,
        generation,
        graceMs,
        maxStreams: link.maxStreams,
        credit: STREAM_FLOOR,
        lost,
        members: [{ addresses: addresses() }],
      },
      start: (carrier) => link.start(body.carrier, carrier),
    }
  }

  /** Throws as `useInvitation`. */
  join(body: JoinBody): Joined {
    const { store, ca, addresses } = this.#options
    const { agent, replaced } = useInvitation(store, {
      secret: Buffer.from(body.secret, 'base64url'),
      key: Buffer.from(body.key, 'base64url'),
      now: Date.now(),
    })
    if (replaced) this.#endOf(agent.id, 'REVOKED', 'another machine has joined in its place')
    return {
      agent: agent.name,
      edge: Buffer.from(ca.pin).toString('base64url'),
      addresses: addresses(),
      ca: ca.certificate,
    }
  }

  // For the admin API

  presence(agent: number): Presence | undefined {
    const link = this.#of(agent).at(-1)
    if (link === undefined) return undefined
    return {
      state: link.paused ? 'away' : 'online',
      session: link.session,
      remote: remoteOf(link),
      carriers: link.carriers.length,
      since: link.since,
    }
  }

  revoked(agent: number): void {
    this.#endOf(agent, 'REVOKED', 'this agent was revoked')
    this.#options.registry.dropAgent(agent)
  }

  renamed(agent: number): void {
    this.#options.registry.renamed(agent)
  }

  get online(): number {
    return new Set([...this.#links.values()].filter((link) => !link.paused).map((link) => link.agentId)).size
  }

  get streams(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.figures.streams, 0)
  }

  /** Lets nobody in any more and asks every agent to open nothing new. */
  drain(): void {
    this.#draining = true
    for (const link of this.#links.values()) link.drain()
  }

  /** Ends every session: the agents log in again when the edge is back. */
  close(): void {
    this.#draining = true
    for (const link of [...this.#links.values()]) link.end('SESSION_CLOSED', 'the edge stops')
  }

  #demand(key: string): AgentRow {
    const { agents } = this.#options.store
    const bytes = Buffer.from(key, 'base64url')
    const agent = agents.byKey(bytes)
    if (agent !== undefined) return agent
    if (agents.formerOwner(bytes) !== undefined) throw new EngawaError('REVOKED', 'this agent was revoked')
    throw new EngawaError('AGENT_UNKNOWN', 'this edge does not know this agent: join again with a new invitation')
  }

  /** A login ends what the agent had before: silently where it is the same process. protocol.md [H9] */
  #replace(agent: number, instance: string, remote: Endpoint): void {
    for (const link of this.#of(agent)) {
      if (link.instance === instance) link.end('SESSION_CLOSED', 'a newer session of the same process')
      else link.end('REPLACED', endpointText(remote))
    }
  }

  #endOf(agent: number, code: Code, reason: string): void {
    for (const link of this.#of(agent)) link.end(code, reason)
  }

  #of(agent: number): AgentLink[] {
    return [...this.#links.values()].filter((link) => link.agentId === agent)
  }

  #observer(): LinkObserver {
    const { store, registry, observer } = this.#options
    return {
      ...observer,
      left: (link) => {
        forgetAgent(store, link.agentId)
        registry.dropAgent(link.agentId)
      },
      ended: (link, code, reason) => {
        this.#links.delete(link.session)
        observer.ended(link, code, reason)
        // Wall-clock, for people alone.
        store.agents.seen(link.agentId, Date.now())
      },
    }
  }
}

export function remoteOf(link: AgentLink): string {
  return link.remote === undefined ? '' : endpointText(link.remote)
}

function endpointText({ address, port }: Endpoint): string {
  return formatAddress({ host: address, port })
}
