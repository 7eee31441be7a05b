import { setImmediate, setTimeout } from 'node:timers/promises'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import type { Clock } from '@engawa/shared/carrier/clock'
import { Pump, type PumpHandler } from '@engawa/shared/carrier/pump'
import { type Code, EngawaError } from '@engawa/shared/errors'
import type { CarrierState, LostEntry, SessionFigures, Stream } from '@engawa/shared/mux/events'
import { MessageRate } from '@engawa/shared/mux/message-rate'
import { Session } from '@engawa/shared/mux/session'
import {
  type AgentMessage,
  type Bound,
  type EdgeMessage,
  parseAgentMessage,
  type RequestSummary,
} from '@engawa/shared/wire/control'
import { SUMMARIES } from '@engawa/shared/wire/limits'
import { type Endpoint, encodeOpening, type Opening } from '@engawa/shared/wire/opening'
import type { EdgeLimits } from '../limits.ts'
import { type Finding, Findings } from './findings.ts'
import { LinkFlows } from './flows.ts'
import type { AgentSession } from './published.ts'
import type { Registry } from './registry.ts'
import { Share } from './share.ts'
import type { Flow, FlowHandler } from './tunnel.ts'

/** Summaries are dropped while so much waits on stream 0, bytes. */
const SUMMARY_BACKLOG = 64 * 1024

/** What a message may say; it may speak of a target that is as long. protocol.md §8 */
const MOST_TEXT = 1024

/** What a link tells of itself, in order. */
export interface LinkObserver {
  /** Its agent gives its identity back; throws when that fails. The session is ended afterwards. */
  left(link: AgentLink): void
  carrierLost(link: AgentLink, carrier: number, left: number, why: string): void
  away(link: AgentLink): void
  resumed(link: AgentLink, awayMs: number, streams: number): void
  /** A binding was refused. */
  refused(link: AgentLink, code: Code): void
  /** Last. */
  ended(link: AgentLink, code: Code, reason: string): void
  /** A fault of ours, to be logged. */
  failed(link: AgentLink, error: unknown): void
}

export interface LinkOptions {
  readonly agentId: number
  /** Id, b64. */
  readonly session: string
  readonly instance: string
  /** The agent's key, b64, and the session's secret: what an attach is checked with. */
  readonly key: string
  readonly secret: Uint8Array
  readonly software: string
  readonly maxStreams: number
  /** Initial credit that the agent grants per stream. */
  readonly credit: number
  readonly graceMs: number
  readonly limits: EdgeLimits['perAgent']
  readonly registry: Registry
  readonly observer: LinkObserver
  readonly clock: Clock
}

/** The edge's end of one session: streams to the agent's services, and the agent's messages. protocol.md §8 */
export class AgentLink implements AgentSession {
  readonly agentId: number
  readonly session: string
  readonly instance: string
  readonly key: string
  readonly secret: Uint8Array
  readonly software: string
  readonly maxStreams: number
  /** Wall-clock milliseconds. */
  readonly since: number = Date.now()
  readonly #options: LinkOptions
  readonly #pump: Pump
  readonly #flows: LinkFlows
  readonly #findings = new Findings()
  readonly #rate: MessageRate
  readonly #summaries: MessageRate
  readonly #share: Share
  readonly #pauseListeners = new Set<(paused: boolean) => void>()
  readonly #remotes = new Map<number, Endpoint>()
  #remote: Endpoint | undefined
  #draining = false
  #awaySince: number | undefined
  /** Messages are dealt with one after the other, also those that take a moment. */
  #work: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(options: LinkOptions) {
    const { clock, limits } = options
    this.#options = options
    this.agentId = options.agentId
    this.session = options.session
    this.instance = options.instance
    this.key = options.key
    this.secret = options.secret
    this.software = options.software
    this.maxStreams = options.maxStreams
    this.#rate = new MessageRate({ perSecond: limits.messagesPerSecond, burst: limits.messageBurst }, clock.now())
    this.#summaries = new MessageRate(SUMMARIES, clock.now())
    this.#share = new Share(performance.now())
    const session = new Session(
      {
        side: 'edge',
        maxStreams: options.maxStreams,
        peerCredit: options.credit,
        budgetBytes: limits.bufferBytes,
        graceMs: options.graceMs,
      },
      clock.now(),
    )
    this.#flows = new LinkFlows(session)
    this.#pump = new Pump(session, this.#handler(), clock)
  }

  get agent(): string {
    return this.#options.registry.agentName(this.agentId)
  }

  get paused(): boolean {
    return this.#pump.paused
  }

  get ended(): boolean {
    return this.#pump.session.ended
  }

  get away(): boolean {
    return this.paused || this.#draining || this.ended
  }

  /** Of the newest carrier that has been here. */
  get remote(): Endpoint | undefined {
    return this.#remote
  }

  get carriers(): readonly CarrierState[] {
    return this.#pump.session.carriers
  }

  get figures(): SessionFigures {
    return this.#pump.session.figures
  }

  remoteOf(carrier: number): Endpoint | undefined {
    return this.#remotes.get(carrier)
  }

  onPause(listener: (paused: boolean) => void): () => void {
    this.#pauseListeners.add(listener)
    return () => this.#pauseListeners.delete(listener)
  }

  open(opening: Opening): Stream {
    if (this.#draining) throw new EngawaError('AGENT_DRAINING')
    const stream = this.#pump.session.open(encodeOpening(opening))
    this.#findings.asks(stream, opening.service)
    return stream
  }

  openFlow(opening: Opening, handler: FlowHandler): Flow {
    if (this.#draining) throw new EngawaError('AGENT_DRAINING')
    return this.#flows.open(opening, handler)
  }

  /** How the last visitor found a service of this agent; undefined while nobody has asked. */
  findingOf(service: number): Finding | undefined {
    return this.#findings.of(service)
  }

  summarize(summary: RequestSummary): void {
    if (this.paused || this.#pump.session.messageBacklog > SUMMARY_BACKLOG) return
    // protocol.md [M9]
    if (this.#summaries.take(this.#options.clock.now())) this.#send(summary)
  }

  tell(bound: Bound): void {
    this.#send(bound)
  }

  /** Asks the agent to count on this session for nothing new; what runs goes on. `to`: the generation to go to. protocol.md [G1] */
  drain(to?: number): void {
    this.#send({ type: 'drain', ...(to !== undefined && { to }) })
  }

  /** Whether an attach may take this carrier number. protocol.md [H6] */
  mayAttach(carrier: number): boolean {
    return this.#pump.session.mayAttach(carrier)
  }

  /** Takes what the agent gave up, and answers what the edge did: for the welcome of carrier `carrier`. */
  exchangeLost(carrier: number, lost: readonly LostEntry[]): LostEntry[] {
    const { session } = this.#pump
    session.applyLost(lost, this.#options.clock.now())
    return session.lostReport(carrier)
  }

  /** Behind the welcome. */
  start(carrier: number, socket: Carrier): void {
    this.#remote = socket.remote
    this.#remotes.set(carrier, socket.remote)
    this.#pump.attach(carrier, socket)
  }

  end(code: Code, reason: string = ''): void {
    this.#pump.end(code, reason)
  }

  #handler(): PumpHandler {
    const { observer, registry, clock } = this.#options
    return {
      opened: (stream) => stream.reset('SERVICE_UNKNOWN'),
      tried: (stream, code) => this.#findings.tried(stream, code, performance.now()),
      message: (json) => this.#receive(json),
      datagram: (flow, _opening, bytes) => this.#flows.received(flow, bytes),
      flowClosed: () => {},
      carrierLost: (carrier, left, why) => {
        this.#remotes.delete(carrier)
        observer.carrierLost(this, carrier, left, why)
      },
      carrierSuspect: () => {},
      carrierTrusted: () => {},
      away: () => {
        this.#awaySince = clock.now()
        this.#tellPause(true)
        registry.changed(this)
        observer.away(this)
      },
      resumed: (awayMs, streams) => {
        this.#awaySince = undefined
        this.#tellPause(false)
        registry.changed(this)
        observer.resumed(this, awayMs, streams)
      },
      closed: (code, reason) => {
        registry.detach(this, this.#graceLeft())
        this.#flows.end()
        this.#pauseListeners.clear()
        observer.ended(this, code, reason)
      },
      failed: (error) => observer.failed(this, error),
    }
  }

  #graceLeft(): number {
    const { graceMs, clock } = this.#options
    return this.#awaySince === undefined ? graceMs : Math.max(0, this.#awaySince + graceMs - clock.now())
  }

  #tellPause(paused: boolean): void {
    for (const listener of this.#pauseListeners) listener(paused)
  }

  /** Throws MESSAGE_INVALID, MESSAGE_FLOOD: the pump ends the session with it. */
  #receive(json: string): void {
    const { clock, limits, observer } = this.#options
    if (!this.#rate.take(clock.now()) || this.#waiting >= limits.messageBurst) throw new EngawaError('MESSAGE_FLOOD')
    const message = parseAgentMessage(json)
    this.#waiting++
    this.#work = this.#work
      .then(() => (this.ended ? undefined : this.#inTurn(message)))
      .catch((error: unknown) => observer.failed(this, error))
      .finally(() => {
        this.#waiting--
      })
  }

  /** Real time, also in tests: it is the machine's that is shared. */
  async #inTurn(message: AgentMessage): Promise<void> {
    const since = performance.now()
    try {
      await this.#act(message)
    } finally {
      const waitMs = this.#share.spent(since, performance.now())
      if (waitMs !== undefined) await (waitMs > 0 ? setTimeout(waitMs, undefined, { ref: false }) : setImmediate())
    }
  }

  #act(message: AgentMessage): Promise<void> | void {
    switch (message.type) {
      case 'bind':
        return this.#bind(message)
      case 'unbind':
        return this.#options.registry.unbind(this, message.service)
      case 'release':
        return this.#reply(message.id, () => this.#release(message.name))
      case 'leave':
        this.#reply(message.id, () => this.#options.observer.left(this))
        // What is left of it on the edge is gone: the answer goes out before the session does.
        this.#pump.flush()
        return this.end('REVOKED', 'the agent has left')
      case 'drain':
        this.#draining = true
        return this.#options.registry.changed(this)
    }
  }

  async #bind(message: Extract<AgentMessage, { type: 'bind' }>): Promise<void> {
    const { registry, observer } = this.#options
    // It was on its way when the agent was told to go elsewhere, where it asks for everything again.
    if (registry.retired) return
    try {
      const bound = await registry.bind(this, message)
      if (this.ended) registry.detach(this, this.#graceLeft())
      else this.#send(bound)
    } catch (error) {
      if (!(error instanceof EngawaError)) observer.failed(this, error)
      const { code, text } = explain(error)
      observer.refused(this, code)
      this.#send({ type: 'refused', service: message.service, code, message: text })
    }
  }

  #release(name: string): void {
    for (const service of this.#options.registry.release(this, name))
      this.#send({ type: 'unbound', service, code: 'CANCELLED' })
  }

  #reply(id: number, work: () => void): void {
    try {
      work()
      this.#send({ type: 'done', id })
    } catch (error) {
      if (!(error instanceof EngawaError)) this.#options.observer.failed(this, error)
      const { code, text } = explain(error)
      this.#send({ type: 'failed', id, code, message: text })
    }
  }

  /** An agent that leaves 4 MiB of answers unread is cut off. */
  #send(message: EdgeMessage): void {
    if (this.ended || this.#pump.session.sendMessage(Buffer.from(JSON.stringify(message)))) return
    this.end('BUFFER_EXCEEDED', 'too many messages wait')
  }
}

/** A fault of ours is not explained to an agent. */
function explain(error: unknown): { code: Code; text: string } {
  if (error instanceof EngawaError && error.code !== 'INTERNAL')
    return { code: error.code, text: error.message.slice(0, MOST_TEXT) }
  return { code: 'INTERNAL', text: 'a fault of the edge; its log says more' }
}
