import { randomBytes } from 'node:crypto'
import { addressKey } from '@engawa/shared/address-key'
import type { Clock } from '@engawa/shared/carrier/clock'
import type { Admission, Gatekeeper as Deciding } from '@engawa/shared/carrier/handshake-edge'
import type { AttachBody, JoinBody, Joined, LoginBody, Welcome } from '@engawa/shared/carrier/handshake-messages'
import { type Code, EngawaError } from '@engawa/shared/errors'
import { STREAM_FLOOR } from '@engawa/shared/wire/limits'
import type { Endpoint } from '@engawa/shared/wire/opening'
import type { News } from '../front/calls.ts'
import { ALONE, type Peers } from '../generation/peers.ts'
import { TokenBuckets } from '../guard/bucket.ts'
import type { EdgeLimits } from '../limits.ts'
import type { AgentRow } from '../store/agents.ts'
import type { Store } from '../store/store.ts'
import type { AgentLink } from '../tunnel/attach.ts'
import type { Registry } from '../tunnel/registry.ts'
import { demandAgent, forgetAgent, renameAgent, revokeAgent } from './agents.ts'
import type { CarrierCa } from './carrier-ca.ts'
import { useInvitation } from './invitations.ts'
import { type GateObserver, Sessions } from './sessions.ts'

export interface GatekeeperOptions {
  readonly store: Store
  readonly ca: Pick<CarrierCa, 'certificate' | 'pin'>
  readonly registry: Registry
  readonly generation: number
  readonly software: string
  readonly graceMs: number
  readonly limits: EdgeLimits['perAgent']
  /** What agents are to dial, `HOST:PORT`. */
  readonly addresses: () => readonly string[]
  readonly observer: GateObserver
  readonly clock: Clock
  /** The other generations of this edge. */
  readonly others?: Pick<Peers, 'tell' | 'ask'>
}

/** Failed attempts of one address that are answered in full: ten, then one every 6 s. */
const GUESSES = { perSecond: 1 / 6, burst: 10, most: 10_000 }

/** Decides who gets in, and who has to go. protocol.md §2 */
export class Gatekeeper implements Deciding {
  readonly edge: Uint8Array
  readonly generation: number
  readonly software: string
  readonly #options: GatekeeperOptions
  readonly #sessions: Sessions
  /**
   * It never stands before an attempt, only behind a failed one: a valid agent behind the same carrier-grade NAT as a
   * guesser gets in whatever that one does. promises.md, "guessers"
   */
  readonly #guesses = new TokenBuckets(GUESSES)
  /** Keys of agents that were revoked, as long as the store does not know it. */
  readonly #barred = new Set<string>()

  constructor(options: GatekeeperOptions) {
    this.#options = options
    this.edge = options.ca.pin
    this.generation = options.generation
    this.software = options.software
    const { store, clock, registry, observer } = options
    const left = (agent: number): void => {
      forgetAgent(store, agent, Date.now())
      registry.dropAgent(agent)
      this.#others.tell({ news: 'revoked', agent, reason: 'the agent has left' })
    }
    this.#sessions = new Sessions({ store, clock, registry, observer, left })
  }

  get sessions(): readonly AgentLink[] {
    return this.#sessions.all
  }

  credentials(session: string): { key: string; secret: Uint8Array } | undefined {
    return this.#sessions.get(session)
  }

  /** Throws EDGE_DRAINING where another generation takes what is new. */
  login(body: LoginBody, remote: Endpoint): Admission | Promise<Admission> {
    if (body.yields !== true) return this.#login(body, remote)
    return this.#demandVacancy(body, remote).then(() => this.#login(body, remote))
  }

  #login(body: LoginBody, remote: Endpoint): Admission {
    const { limits, registry, graceMs } = this.#options
    if (registry.retired) throw new EngawaError('EDGE_DRAINING', 'another process of this edge has taken over')
    const agent = this.#demandAgent(Buffer.from(body.key, 'base64url'), remote)
    const session = randomBytes(16).toString('base64url')
    this.#replaceSessions(agent, { session, instance: body.instance, remote })
    this.#others.tell({ news: 'login', agent: agent.id, instance: body.instance, address: remote.address })
    const secret = randomBytes(32)
    // Each has its floor for certain; the other half of the room is for those that move.
    const room = Math.floor(limits.bufferBytes / 2 / STREAM_FLOOR)
    const maxStreams = Math.min(body.maxStreams, limits.streams, room)
    const { key, instance, software, credit } = body
    const made = { session, secret, maxStreams, agentId: agent.id, key, instance, software, credit, graceMs, limits }
    const link = this.#sessions.begin(made)
    return {
      welcome: {
        ...this.#welcome(link, 1, maxStreams),
        secret: secret.toString('base64url'),
        lost: [],
      },
      start: (carrier) => {
        link.start(1, carrier)
        this.#sessions.stands(link)
      },
    }
  }

  attach(body: AttachBody): Admission {
    const link = this.#sessions.get(body.session)
    if (link === undefined) throw new EngawaError('SESSION_UNKNOWN')
    if (!link.mayAttach(body.carrier)) throw new EngawaError('CARRIER_STALE')
    const lost = link.exchangeLost(body.carrier, body.lost)
    if (link.ended) throw new EngawaError('SESSION_UNKNOWN')
    if (link.carriers.length >= this.#options.limits.carriers) {
      throw new EngawaError('TOO_MANY_ATTEMPTS', 'this session has as many carriers as it may')
    }
    return {
      welcome: { ...this.#welcome(link, body.carrier, link.maxStreams), lost },
      start: (carrier) => link.start(body.carrier, carrier),
    }
  }

  join(body: JoinBody, remote: Endpoint): Joined {
    const { store, ca, addresses } = this.#options
    const key = Buffer.from(body.key, 'base64url')
    try {
      const { agent, replaced } = useInvitation(store, {
        secret: Buffer.from(body.secret, 'base64url'),
        key,
        now: Date.now(),
      })
      const reason = 'another machine has joined in its place'
      if (replaced) {
        this.#sessions.end(agent.id, 'REVOKED', reason)
        this.#others.tell({ news: 'rekeyed', agent: agent.id, reason })
      }
      return {
        agent: agent.name,
        edge: Buffer.from(this.edge).toString('base64url'),
        addresses: addresses(),
        ca: ca.certificate,
      }
    } catch (error) {
      throw this.#counted(error, remote)
    }
  }

  /**
   * Cuts the agent off at once; its names and ports are free. Throws AGENT_UNKNOWN; STATE_UNWRITABLE when it is cut off
   * and kept out, but only for as long as this edge runs: a full disk is no reason to leave a thief connected.
   * Answers the name as it is written.
   */
  revoke(name: string): string {
    const { store, registry } = this.#options
    const agent = demandAgent(store, name)
    const key = textOf(agent.key)
    this.#barred.add(key)
    const reason = 'revoked on the edge'
    this.#sessions.end(agent.id, 'REVOKED', reason)
    registry.dropAgent(agent.id)
    this.#others.tell({ news: 'revoked', agent: agent.id, reason })
    try {
      revokeAgent(store, name, Date.now())
    } catch (cause) {
      throw unwritable(agent.name, cause)
    }
    this.#barred.delete(key)
    return agent.name
  }

  /** Throws AGENT_UNKNOWN, NAME_TAKEN, NAME_INVALID. Answers the new name as it is written now. */
  rename(from: string, to: string): string {
    const agent = renameAgent(this.#options.store, from, to)
    this.#options.registry.renamed(agent.id)
    this.#others.tell({ news: 'renamed', agent: agent.id })
    return agent.name
  }

  /** What another generation has seen or done. */
  heard(news: News): void {
    const { registry } = this.#options
    if (news.news === 'renamed') return registry.renamed(news.agent)
    if (news.news !== 'login') {
      this.#sessions.end(news.agent, 'REVOKED', news.reason)
      if (news.news === 'revoked') registry.dropAgent(news.agent)
      return
    }
    const { agent, instance, address } = news
    registry.moved(agent)
    this.#sessions.lookMoved()
    // The same instance has come in addition: what runs here goes on. protocol.md [H9]
    for (const link of this.#sessions.of(agent))
      if (link.instance !== instance) link.end('REPLACED', replacement(link, { address, instance }))
  }

  /** Which processes of this agent have a session here. */
  instancesOf(agent: number): readonly string[] {
    return this.#sessions.of(agent).map(({ instance }) => instance)
  }

  /** Asks every agent to open nothing new; with `to`, to go to that generation. */
  drain(to?: number): void {
    for (const link of this.sessions) link.drain(to)
  }

  /** Resolves when every agent that is here has a session with the generation that has taken over, at the latest after `mostMs`. */
  moved(mostMs: number): Promise<void> {
    return this.#sessions.moved(mostMs)
  }

  get #others(): Pick<Peers, 'tell' | 'ask'> {
    return this.#options.others ?? ALONE
  }

  /** Ends every session, when the edge stops. */
  close(code: Code, reason: string): void {
    this.#sessions.close(code, reason)
  }

  #demandAgent(key: Uint8Array, remote: Endpoint): AgentRow {
    const { store } = this.#options
    const agent = store.agents.byKey(key)
    if (agent !== undefined && !this.#barred.has(textOf(key))) return agent
    if (agent !== undefined || store.agents.formerOwner(key) !== undefined)
      throw new EngawaError('REVOKED', 'this agent was revoked')
    throw this.#counted(new EngawaError('AGENT_UNKNOWN', 'this edge knows no such agent'), remote)
  }

  #welcome(link: AgentLink, carrier: number, maxStreams: number): Omit<Welcome, 'lost'> {
    const { graceMs, addresses } = this.#options
    return {
      agent: link.agent,
      session: link.session,
      carrier,
      generation: this.generation,
      graceMs,
      maxStreams,
      credit: STREAM_FLOOR,
      members: [{ addresses: addresses() }],
    }
  }

  /** Throws REPLACED while another instance has a session, also one that is away for now. protocol.md [H9] */
  async #demandVacancy({ key, instance }: LoginBody, remote: Endpoint): Promise<void> {
    const agent = this.#demandAgent(Buffer.from(key, 'base64url'), remote)
    const elsewhere = await this.#others.ask<string[]>({ question: 'instances', agent: agent.id })
    const other = [...this.instancesOf(agent.id), ...elsewhere.flat()].find((one) => one !== instance)
    if (other !== undefined) throw new EngawaError('REPLACED', `instance ${other} is still there`)
  }

  /** protocol.md [H9] */
  #replaceSessions(agent: AgentRow, by: { session: string; instance: string; remote: Endpoint }): void {
    for (const link of this.#sessions.of(agent.id)) {
      if (link.instance === by.instance) link.end('SESSION_CLOSED', 'the same process has logged in anew')
      else link.end('REPLACED', replacement(link, { address: by.remote.address, instance: by.instance }))
    }
  }

  /** What only a guess brings up is counted; who gives too many is told so, and learns no more from the answers. */
  #counted(error: unknown, remote: Endpoint): unknown {
    const guess =
      error instanceof EngawaError && (error.code === 'INVITATION_UNKNOWN' || error.code === 'AGENT_UNKNOWN')
    if (!guess || this.#guesses.take(addressKey(remote.address), this.#options.clock.now())) return error
    return new EngawaError('TOO_MANY_ATTEMPTS', 'too many failed attempts from this address: try again in a minute', {
      cause: error,
    })
  }
}

function textOf(key: Uint8Array = new Uint8Array(0)): string {
  return Buffer.from(key).toString('base64url')
}

function unwritable(name: string, cause: unknown): EngawaError {
  return new EngawaError(
    'STATE_UNWRITABLE',
    `${name} is cut off, but that could not be written: it may come back when this edge starts again; make room on the disk and repeat the command`,
    {
      cause,
      ja: `${name} を切断しましたが、書き込めませんでした。このエッジを再起動すると戻ってくるおそれがあります。ディスクを空けて、もう一度実行してください`,
    },
  )
}

/** What REPLACED says of itself. protocol.md [H9] */
function replacement({ session }: AgentLink, { address, instance }: { address: string; instance: string }): string {
  return `by ${address}, instance ${instance}, in place of session ${session}`
}
