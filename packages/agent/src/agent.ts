import { createHash } from 'node:crypto'
import type { Address } from '@engawa/shared/addresses'
import { type Code, codeOf, EngawaError } from '@engawa/shared/errors'
import { shownName } from '@engawa/shared/names'
import type { AgentMessage, EdgeMessage } from '@engawa/shared/wire/control'
import type { Logger } from 'pino'
import { Checks } from './checks.ts'
import { complaint } from './complaint.ts'
import type { Holder } from './control/server.ts'
import { Loopback, type SeatedVisitor } from './deliver/loopback.ts'
import { ownFolders } from './deliver/own.ts'
import { refusalOf } from './deliver/refusal.ts'
import { CARRIERS, newInstance } from './dial.ts'
import type { ShownEvent } from './events.ts'
import { AgentFigures } from './figures.ts'
import { Flows } from './flows.ts'
import { forgetIdentity, type Identity } from './identity.ts'
import { reachFailure } from './join.ts'
import { Memory } from './memory.ts'
import { NetworkWatch, type Sight } from './network.ts'
import { Watch } from './probe.ts'
import { Questions } from './questions.ts'
import { Server } from './serve.ts'
import { Sessions, type SessionsHandler } from './sessions.ts'
import { measure, type Status } from './status.ts'
import { type Owner, type Published, Tunnels } from './tunnels.ts'
import { typedOf, type Wish } from './wish.ts'

/** How often terminals hear of traffic, milliseconds. */
const TRAFFIC_MS = 500
/** How long `status` waits for the carriers to prove their life, milliseconds. */
const ASK_MS = 1000

/** The form of the key that the secret of `--visitor-address` is made of. */
const DER = { type: 'pkcs8', format: 'der' } as const

export interface AgentSettings {
  readonly folder: string
  readonly identity: Identity
  readonly log: Logger
  readonly carriers?: number
  /** Its own `--admin`: never published unless `--reach` names it. */
  readonly admin?: Address | undefined
  /** As in SessionsSettings. */
  readonly greetingMs?: number
  /** As in DialSettings. */
  readonly yields?: boolean
  /** As in DialSettings. */
  readonly plain?: boolean
  readonly sight?: Sight
}

/** The one holder of a folder's session: what it publishes, and everything that happens to that. Composition root. */
export class Agent implements Holder {
  readonly #settings: AgentSettings
  readonly #owners: Set<Owner> = new Set()
  readonly #tunnels: Tunnels
  readonly #server: Server
  readonly #flows: Flows
  readonly #watch: Watch = new Watch()
  readonly #checks: Checks
  readonly #memory: Memory
  readonly #figures: AgentFigures = new AgentFigures({
    session: () => this.#sessions.pump?.session,
    sessions: () => this.#sessions.standing,
    away: () => this.#sessions.awayMs !== undefined,
    tunnels: () => this.#tunnels.list(),
  })
  readonly #sessions: Sessions
  readonly #network: NetworkWatch
  readonly #questions: Questions = new Questions()
  readonly #visitors: Loopback
  readonly #ended: PromiseWithResolvers<EngawaError> = Promise.withResolvers()
  readonly #ticker: NodeJS.Timeout
  readonly #startedAt: number = performance.now()
  #ending: EngawaError | undefined
  #toldRttMs = -1
  /** Who leaves is revoked by that: the end of the session is the answer then. */
  #leaving = false
  /** Why the last dial failed. */
  lastFailure: EngawaError | undefined
  /** So that a hundred dials for one reason are told once. */
  #toldFailure: string | undefined

  constructor(settings: AgentSettings) {
    const { folder, identity, log, sight, greetingMs, carriers = CARRIERS, yields = false, plain = false } = settings
    this.#settings = settings
    this.#memory = new Memory(folder, (error) => log.warn({ err: error }, 'names.json cannot be used'))
    this.#tunnels = new Tunnels({
      agent: identity.agent,
      memory: this.#memory,
      send: (message) => this.#sessions.send(message),
      onBound: (published) => this.#checks.look(published),
    })
    this.#visitors = new Loopback(createHash('sha256').update(identity.key.export(DER)).digest())
    this.#checks = new Checks(() => this.#sessions.edge)
    this.#server = new Server({
      find: (service) => this.#tunnels.find(service),
      hidden: ownFolders(folder),
      visitors: this.#visitors,
      onTried: (published, failure) => this.#tried(published, failure),
    })
    this.#flows = new Flows({
      find: (service) => this.#tunnels.find(service),
      visitors: this.#visitors,
      send: (flow, bytes) => this.#sessions.pump?.session.sendDatagram(flow, bytes) === true,
      close: (flow) => this.#sessions.pump?.session.closeFlow(flow),
      onTried: (published, failure) => this.#tried(published, failure),
    })
    this.#sessions = new Sessions(
      { identity, log, carriers, yields, plain, instance: newInstance(), greetingMs },
      this.#hears(),
    )
    this.#network = new NetworkWatch((present) => this.#sessions.networkChanged(present), sight)
    this.#ticker = setInterval(() => this.#tellTraffic(), TRAFFIC_MS)
  }

  /** Resolves when the edge wants this agent no more. */
  get ended(): Promise<EngawaError> {
    return this.#ended.promise
  }

  start(): void {
    this.#sessions.start()
    this.#network.start()
  }

  /** Something runs that a stop would have to wait for. */
  get busy(): boolean {
    return this.#sessions.pump !== undefined && this.#server.busy
  }

  /** Finishes what runs, at most `drainMs`, then ends the session. */
  async stop(drainMs: number): Promise<void> {
    if (this.#sessions.pump !== undefined && drainMs > 0) {
      this.#sessions.drain()
      await this.#server.drain(drainMs)
    }
    this.end()
  }

  /** At once. */
  end(): void {
    clearInterval(this.#ticker)
    this.#watch.close()
    this.#checks.close()
    this.#network.close()
    this.#sessions.stop()
    this.#server.close()
    this.#flows.close()
    this.#questions.end(new EngawaError('NOT_RUNNING'))
  }

  // Holder

  join(owner: Owner, wishes: readonly Wish[]): void {
    this.#owners.add(owner)
    const { edge, pump, isConnected } = this.#sessions
    if (isConnected && pump !== undefined && edge !== undefined) {
      owner.tell({ event: 'connected', edge, carriers: pump.session.carriers.length })
    }
    for (const wish of wishes) this.publish(owner, wish)
  }

  leave(owner: Owner): void {
    this.#owners.delete(owner)
    for (const published of this.#tunnels.list()) if (published.owner === owner) this.withdraw(published)
  }

  publish(owner: Owner, wish: Wish): Published | undefined {
    const target = wish.target.text
    const { folder, admin } = this.#settings
    const refusal = refusalOf(wish, { folder, admin })
    if (refusal !== undefined) {
      const { code, message, ja } = refusal
      owner.tell({
        event: 'refused',
        name: wish.name ?? target,
        code,
        message,
        target,
        ...(ja !== undefined && { ja }),
      })
      return undefined
    }
    const published = this.#tunnels.add(owner, wish)
    void this.#watch.look(published)
    return published
  }

  /** Makes `wishes` what the owner publishes: what stands in both lists goes on undisturbed. */
  replace(owner: Owner, wishes: readonly Wish[]): void {
    const wanted = [...wishes]
    for (const published of this.#tunnels.list()) {
      if (published.owner !== owner) continue
      const at = wanted.findIndex((wish) => keyOf(wish) === keyOf(published.wish))
      const [wish] = at === -1 ? [] : wanted.splice(at, 1)
      if (wish === undefined) this.withdraw(published)
      else if (JSON.stringify(typedOf(wish)) !== JSON.stringify(typedOf(published.wish))) {
        this.#tunnels.change(published, wish)
      }
    }
    for (const wish of wanted) this.publish(owner, wish)
  }

  withdraw(published: Published): void {
    this.#watch.forget(published)
    this.#checks.forget(published)
    this.#tunnels.remove(published)
  }

  list(): unknown {
    return this.#tunnels.list().map((published) => {
      const { name, state, bound, wish } = published
      return {
        name,
        state,
        protocol: wish.target.protocol,
        public: bound?.public,
        urls: bound?.urls ?? [],
        target: wish.target.text,
        traffic: published.traffic,
      }
    })
  }

  visitors(): readonly SeatedVisitor[] {
    return this.#visitors.list()
  }

  async status(): Promise<Status> {
    const askedAt = performance.now()
    await this.#sessions.probe(ASK_MS)
    const { edge, pump, former, awayMs } = this.#sessions
    return measure({
      askedAt,
      agent: this.#settings.identity.agent,
      edge,
      session: pump?.session,
      carrier: (number) => pump?.carrier(number),
      former,
      awayMs,
      ending: this.#ending,
      upMs: performance.now() - this.#startedAt,
      tunnels: this.#tunnels.list(),
    })
  }

  metrics(): Promise<string> {
    return this.#figures.text()
  }

  remove(name: string): void {
    const named = this.#tunnels.named(name)
    if (named.length === 0) throw complaint('NAME_UNKNOWN', (words) => words.nameUnknown(shownName(name)))
    for (const published of named) this.withdraw(published)
  }

  async release(name: string): Promise<void> {
    for (const published of this.#tunnels.named(name)) this.withdraw(published)
    await this.#ask((id) => ({ type: 'release', id, name }))
    this.#memory.forget(name)
  }

  async giveBack(): Promise<void> {
    this.#leaving = true
    try {
      // Who has been revoked has left already.
      if (this.#ending === undefined) await this.#ask((id) => ({ type: 'leave', id }))
    } finally {
      this.#leaving = false
    }
    this.#sessions.stop()
    forgetIdentity(this.#settings.folder)
    this.#finish(complaint('SESSION_CLOSED', (words) => words.left(shownName(this.#settings.identity.agent))))
  }

  /** Resolves when a session stands. */
  whenUp(): Promise<void> {
    return this.#sessions.whenUp()
  }

  #hears(): SessionsHandler {
    return {
      opened: (stream) => this.#server.opened(stream),
      datagram: (flow, opening, bytes) => this.#flows.received(flow, opening, bytes),
      flowClosed: (flow) => this.#flows.closed(flow),
      up: () => this.#up(),
      connected: (edge, carriers) => this.#tell({ event: 'connected', edge, carriers }),
      carrierLost: (left) => this.#tell({ event: 'carrier_lost', left }),
      away: () => this.#server.pause(),
      resumed: (awayMs, streams) => this.#resumed(awayMs, streams),
      retrying: (retryMs, address, error) => this.#retrying(retryMs, address, error),
      message: (message) => this.#receive(message),
      lateMessage: (message) => {
        if (message.type === 'request') this.#tunnels.receive(message)
      },
      leaving: () => this.#figures.settle(),
      down: (code, reason, final) => this.#down(code, reason, final),
    }
  }

  #up(): void {
    this.#toldFailure = undefined
    this.#server.resume()
    this.#flows.clear()
    this.#tunnels.bindAll()
  }

  #resumed(awayMs: number, streams: number): void {
    this.#toldFailure = undefined
    this.#server.resume()
    this.#figures.resumed()
    this.#tell({ event: 'resumed', streams, away_ms: Math.round(awayMs) })
  }

  #tried(published: Published, failure: Code | undefined): void {
    if (failure !== undefined) this.#figures.failed(published.name, failure)
    this.#watch.tried(published, failure)
  }

  #retrying(retryMs: number, address: string, error: unknown): void {
    const reason = complaint(codeOf(error), reachFailure(address, error), error)
    this.lastFailure = reason
    if (this.#toldFailure === reason.message) return
    this.#toldFailure = reason.message
    this.#tell({
      event: 'disconnected',
      retry_ms: retryMs,
      message: reason.message,
      ...(reason.ja !== undefined && { ja: reason.ja }),
    })
  }

  #down(code: Code, reason: string, final: boolean): void {
    this.#flows.clear()
    this.#server.pause()
    this.#questions.end(this.#leaving && final ? undefined : new EngawaError('CARRIER_LOST', reason))
    if (this.#leaving && final) return
    this.#settings.log.info({ code, reason }, 'the session has ended')
    if (final)
      this.#finish(complaint(code, (words) => (code === 'REPLACED' ? words.replaced(byWhom(reason)) : words.revoked)))
    else if (code !== 'SESSION_UNKNOWN')
      this.#tell({ event: 'disconnected', retry_ms: 250, code, message: reason === '' ? code : reason })
  }

  #finish(ending: EngawaError): void {
    const { code, message, ja } = ending
    this.#ending = ending
    this.#tell({ event: 'ended', code, message, ...(ja !== undefined && { ja }) })
    this.#ended.resolve(ending)
  }

  #receive(message: EdgeMessage): void {
    if (!this.#questions.answered(message)) this.#tunnels.receive(message)
  }

  async #ask(question: (id: number) => AgentMessage): Promise<void> {
    if (this.#ending !== undefined) throw this.#ending
    if (this.#sessions.pump === undefined) throw complaint('EDGE_TIMEOUT', (words) => words.disconnected(undefined))
    await this.#questions.ask((id) => this.#sessions.send(question(id)))
  }

  #tell(event: ShownEvent): void {
    for (const owner of this.#owners) owner.tell(event)
  }

  #tellTraffic(): void {
    const { edge, pump } = this.#sessions
    const [carrier] = pump?.session.carriers ?? []
    const rttMs = Math.round(carrier?.rttMs ?? -1)
    if (rttMs >= 0 && rttMs !== this.#toldRttMs && edge !== undefined) {
      this.#toldRttMs = rttMs
      this.#tell({ event: 'link', edge, rtt_ms: rttMs })
    }
    for (const published of this.#tunnels.list()) {
      const traffic = this.#server.changedTraffic(published)
      if (traffic !== undefined) published.owner.tell({ event: 'traffic', name: published.name, ...traffic })
    }
  }
}

/** What makes a tunnel another one; its address rules change while it stands. */
function keyOf(wish: Wish): string {
  return JSON.stringify({ ...typedOf(wish), allow: undefined, deny: undefined })
}

/** The address in what REPLACED says of itself; the ids behind it are for the protocol. Empty where there is none. [H9] */
export function byWhom(reason: string): string {
  return /^by ([\da-f:.]{2,45})(?:,|$)/i.exec(reason)?.[1] ?? ''
}
