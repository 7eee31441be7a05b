import { createHash } from 'node:crypto'
import type { Address } from '@engawa/shared/addresses'
import type { Pump } from '@engawa/shared/carrier/pump'
import { type Code, codeOf, EngawaError } from '@engawa/shared/errors'
import { MessageRate } from '@engawa/shared/mux/message-rate'
import { type AgentMessage, type EdgeMessage, parseEdgeMessage } from '@engawa/shared/wire/control'
import { EDGE_MESSAGES } from '@engawa/shared/wire/limits'
import type { Logger } from 'pino'
import { Checks } from './checks.ts'
import { complaint } from './complaint.ts'
import type { Holder } from './control/server.ts'
import { Loopback, type SeatedVisitor } from './deliver/loopback.ts'
import { ownFolders } from './deliver/own.ts'
import { refusalOf } from './deliver/refusal.ts'
import { CARRIERS, type DialHandler, Dialler, newInstance } from './dial.ts'
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
import { measure, type Status } from './status.ts'
import { warnOfTrust } from './trust.ts'
import { type Owner, type Published, Tunnels } from './tunnels.ts'
import { typedOf, type Wish } from './wish.ts'

/** How often terminals hear of traffic, milliseconds. */
const TRAFFIC_MS = 500
const GREETING_MS = 1000
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
  /** How long `connected` waits for the other carriers, milliseconds: it is to tell how many there are. Default 1000. */
  readonly greetingMs?: number
  /** As in DialSettings. */
  readonly yields?: boolean
  /** As in DialSettings. */
  readonly plain?: boolean
  readonly sight?: Sight
}

/** Sessions that the edge finishes after an upgrade, at most: past that it is no upgrade that it is about. */
const MOST_FORMER = 32

/** One session with the edge. */
interface Line {
  readonly dialler: Dialler
  /** Undefined: none stands. */
  pump: Pump | undefined
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
    session: () => this.#pump?.session,
    sessions: () => this.#lines.flatMap(({ pump }) => pump?.session ?? []),
    away: () => this.#awaySince !== undefined,
    tunnels: () => this.#tunnels.list(),
  })
  readonly #instance: string = newInstance()
  /** The session that new visitors come by. */
  #line: Line
  /** Sessions with processes of the edge that have been upgraded: what runs there goes on until the edge ends them. */
  readonly #former: Set<Line> = new Set()
  readonly #network: NetworkWatch
  readonly #questions: Questions = new Questions()
  readonly #visitors: Loopback
  /** Over all sessions: a hacked edge that ends one and floods the next gains nothing. */
  readonly #rate: MessageRate = new MessageRate(EDGE_MESSAGES, performance.now())
  readonly #ended: PromiseWithResolvers<EngawaError> = Promise.withResolvers()
  readonly #ticker: NodeJS.Timeout
  readonly #startedAt: number = performance.now()
  #pump: Pump | undefined
  #edge: string | undefined
  #awaySince: number | undefined
  #greeting: NodeJS.Timeout | undefined
  /** Messages that came before `connected` was told. */
  #early: string[] | undefined
  #ending: EngawaError | undefined
  #toldRttMs = -1
  /** Who leaves is revoked by that: the end of the session is the answer then. */
  #leaving = false
  /** Why the last dial failed. */
  lastFailure: EngawaError | undefined
  /** So that a hundred dials for one reason are told once. */
  #toldFailure: string | undefined
  #waiters: (() => void)[] = []

  constructor(settings: AgentSettings) {
    const { folder, identity, log, yields = false, sight } = settings
    this.#settings = settings
    this.#memory = new Memory(folder, (error) => log.warn({ err: error }, 'names.json cannot be used'))
    this.#tunnels = new Tunnels({
      agent: identity.agent,
      memory: this.#memory,
      send: (message) => this.#send(message),
      onBound: (published) => this.#checks.look(published),
    })
    this.#visitors = new Loopback(createHash('sha256').update(identity.key.export(DER)).digest())
    this.#checks = new Checks(() => this.#edge)
    this.#server = new Server({
      find: (service) => this.#tunnels.find(service),
      hidden: ownFolders(folder),
      visitors: this.#visitors,
      onTried: (published, failure) => this.#watch.tried(published, failure),
    })
    this.#flows = new Flows({
      find: (service) => this.#tunnels.find(service),
      visitors: this.#visitors,
      send: (flow, bytes) => this.#pump?.session.sendDatagram(flow, bytes) === true,
      close: (flow) => this.#pump?.session.closeFlow(flow),
      onTried: (published, failure) => this.#watch.tried(published, failure),
    })
    this.#line = this.#newLine(yields)
    this.#network = new NetworkWatch((present) => {
      for (const { dialler } of this.#lines) dialler.networkChanged(present)
    }, sight)
    this.#ticker = setInterval(() => this.#tellTraffic(), TRAFFIC_MS)
  }

  /** Resolves when the edge wants this agent no more. */
  get ended(): Promise<EngawaError> {
    return this.#ended.promise
  }

  start(): void {
    this.#line.dialler.start()
    this.#network.start()
  }

  /** Something runs that a stop would have to wait for. */
  get busy(): boolean {
    return this.#pump !== undefined && this.#server.busy
  }

  /** Finishes what runs, at most `drainMs`, then ends the session. */
  async stop(drainMs: number): Promise<void> {
    if (this.#pump !== undefined && drainMs > 0) {
      for (const { pump } of this.#lines) sendOn(pump, { type: 'drain' })
      await this.#server.drain(drainMs)
    }
    this.end()
  }

  /** At once. */
  end(): void {
    clearInterval(this.#ticker)
    clearTimeout(this.#greeting)
    this.#watch.close()
    this.#checks.close()
    this.#network.close()
    for (const { dialler } of this.#lines) dialler.stop()
    this.#server.close()
    this.#flows.close()
    this.#questions.end(new EngawaError('NOT_RUNNING'))
  }

  // Holder

  join(owner: Owner, wishes: readonly Wish[]): void {
    this.#owners.add(owner)
    const greeted = this.#pump !== undefined && this.#early === undefined && this.#awaySince === undefined
    if (greeted && this.#pump !== undefined && this.#edge !== undefined) {
      owner.tell({ event: 'connected', edge: this.#edge, carriers: this.#pump.session.carriers.length })
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
    const isNew = !this.#memory.names.has(target)
    const published = this.#tunnels.add(owner, wish)
    if (isNew) warnOfTrust(published)
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
    await Promise.all(this.#lines.map(({ dialler }) => dialler.ask(ASK_MS)))
    return measure({
      askedAt,
      agent: this.#settings.identity.agent,
      edge: this.#edge,
      session: this.#pump?.session,
      carrier: (number) => this.#pump?.carrier(number),
      former: [...this.#former].flatMap(({ pump }) => pump ?? []),
      awayMs: this.#awaySince === undefined ? undefined : performance.now() - this.#awaySince,
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
    if (named.length === 0) throw complaint('NAME_UNKNOWN', (words) => words.nameUnknown(name))
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
    for (const { dialler } of this.#lines) dialler.stop()
    forgetIdentity(this.#settings.folder)
    this.#finish(complaint('SESSION_CLOSED', (words) => words.left(this.#settings.identity.agent)))
  }

  /** Resolves when a session stands. */
  whenUp(): Promise<void> {
    if (this.#pump !== undefined) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  // The session

  get #lines(): Line[] {
    return [this.#line, ...this.#former]
  }

  #newLine(yields: boolean): Line {
    const { identity, log, carriers = CARRIERS, plain = false } = this.#settings
    const line: Line = {
      dialler: new Dialler(
        { identity, carriers, yields, plain, instance: this.#instance, log },
        this.#hears(() => line),
      ),
      pump: undefined,
    }
    return line
  }

  /** What is told of a session that has been left for another one is between it and its streams. */
  #hears(line: () => Line): DialHandler {
    const ifPresent =
      <Args extends unknown[]>(act: (...args: Args) => void) =>
      (...args: Args): void => {
        if (line() === this.#line) act(...args)
      }
    return {
      opened: (stream) => this.#server.opened(stream),
      message: (json) => (line() === this.#line ? this.#receive(json) : this.#receiveLate(json)),
      datagram: ifPresent((flow, opening, bytes) => this.#flows.received(flow, opening, bytes)),
      flowClosed: ifPresent((flow) => this.#flows.closed(flow)),
      away: ifPresent(() => this.#away()),
      resumed: ifPresent((awayMs, streams) => this.#resumed(awayMs, streams)),
      up: ifPresent((pump, edge) => {
        line().pump = pump
        this.#up(pump, edge)
      }),
      settled: ifPresent(() => this.#greet()),
      carrierLost: ifPresent((left) => this.#carrierLost(left)),
      retrying: ifPresent((retryMs, address, error) => this.#retrying(retryMs, address, error)),
      down: (code, reason, final) => {
        this.#figures.settle()
        const { pump } = line()
        line().pump = undefined
        if (line() === this.#line) return this.#down(code, reason, final)
        this.#former.delete(line())
        this.#settings.log.info({ code, reason }, 'a former session has ended')
        // The next one does not stand yet.
        if (pump === this.#pump) this.#down(code, reason, false)
      },
    }
  }

  /** The edge is being upgraded: new visitors come by a session with its new process, those inside stay. protocol.md [G1] */
  #moveTo(generation: number): void {
    const { generation: present } = this.#line.dialler
    if (present === 0 || generation <= present || this.#former.size >= MOST_FORMER) return
    this.#settings.log.info({ from: present, to: generation }, 'the edge is being upgraded')
    this.#line.dialler.retire()
    this.#former.add(this.#line)
    // Until it stands, the former one is what there is.
    this.#line = this.#newLine(false)
    this.#line.dialler.start()
  }

  /** From a session that was left: only what it still tells of its visitors. */
  #receiveLate(json: string): void {
    if (!this.#rate.take(performance.now())) throw new EngawaError('MESSAGE_FLOOD')
    const message = parseEdgeMessage(json)
    if (message.type === 'request') this.#tunnels.receive(message)
  }

  #up(pump: Pump, edge: string): void {
    const moved = this.#pump !== undefined
    this.#pump = pump
    this.#edge = edge
    this.#awaySince = undefined
    this.#toldFailure = undefined
    this.#server.resume()
    this.#flows.clear()
    this.#tunnels.bindAll()
    clearTimeout(this.#greeting)
    // It was connected all the time: there is nothing to tell.
    if (moved) return
    this.#early = []
    this.#greeting = setTimeout(() => this.#greet(), this.#settings.greetingMs ?? GREETING_MS)
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  /** Tunnels are asked for at once; what the edge answers is told behind `connected`. */
  #greet(carriers: number = this.#pump?.session.carriers.length ?? 0): void {
    const early = this.#early
    if (early === undefined || this.#edge === undefined) return
    clearTimeout(this.#greeting)
    this.#early = undefined
    this.#tell({ event: 'connected', edge: this.#edge, carriers })
    for (const json of early) this.#take(json)
  }

  #carrierLost(left: number): void {
    this.#greet(left + 1)
    this.#tell({ event: 'carrier_lost', left })
  }

  #away(): void {
    this.#awaySince = performance.now()
    this.#server.pause()
  }

  #resumed(awayMs: number, streams: number): void {
    this.#awaySince = undefined
    this.#toldFailure = undefined
    this.#server.resume()
    this.#figures.resumed()
    this.#tell({ event: 'resumed', streams, away_ms: Math.round(awayMs) })
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
    this.#pump = undefined
    clearTimeout(this.#greeting)
    this.#early = undefined
    this.#flows.clear()
    this.#awaySince ??= performance.now()
    this.#server.pause()
    this.#questions.end(this.#leaving && final ? undefined : new EngawaError('CARRIER_LOST', reason))
    if (this.#leaving && final) return
    this.#settings.log.info({ code, reason }, 'the session has ended')
    if (final) this.#finish(complaint(code, (words) => (code === 'REPLACED' ? words.replaced(reason) : words.revoked)))
    else if (code !== 'SESSION_UNKNOWN')
      this.#tell({ event: 'disconnected', retry_ms: 250, code, message: reason === '' ? code : reason })
  }

  #finish(ending: EngawaError): void {
    const { code, message, ja } = ending
    this.#ending = ending
    this.#tell({ event: 'ended', code, message, ...(ja !== undefined && { ja }) })
    this.#ended.resolve(ending)
  }

  /** Throws MESSAGE_FLOOD: the pump ends the session with it. */
  #receive(json: string): void {
    if (!this.#rate.take(performance.now())) throw new EngawaError('MESSAGE_FLOOD')
    if (this.#early !== undefined) this.#early.push(json)
    else this.#take(json)
  }

  #take(json: string): void {
    let message: EdgeMessage
    try {
      message = parseEdgeMessage(json)
    } catch (error) {
      const { code, message: reason } = error as EngawaError
      return this.#pump?.end(code, reason)
    }
    if (message.type === 'drain') {
      if (message.to !== undefined) this.#moveTo(message.to)
    } else if (!this.#questions.answered(message)) this.#tunnels.receive(message)
  }

  #send(message: AgentMessage): void {
    sendOn(this.#pump, message)
    // What is taken off is to be reached by nobody, also not by those who came before.
    if (message.type === 'unbind') for (const { pump } of this.#former) if (pump !== this.#pump) sendOn(pump, message)
  }

  async #ask(question: (id: number) => AgentMessage): Promise<void> {
    if (this.#ending !== undefined) throw this.#ending
    if (this.#pump === undefined) throw complaint('EDGE_TIMEOUT', (words) => words.disconnected(undefined))
    await this.#questions.ask((id) => this.#send(question(id)))
  }

  #tell(event: ShownEvent): void {
    for (const owner of this.#owners) owner.tell(event)
  }

  #tellTraffic(): void {
    const [carrier] = this.#pump?.session.carriers ?? []
    const rttMs = Math.round(carrier?.rttMs ?? -1)
    if (rttMs >= 0 && rttMs !== this.#toldRttMs && this.#edge !== undefined) {
      this.#toldRttMs = rttMs
      this.#tell({ event: 'link', edge: this.#edge, rtt_ms: rttMs })
    }
    for (const published of this.#tunnels.list()) {
      const traffic = this.#server.changedTraffic(published)
      if (traffic !== undefined) published.owner.tell({ event: 'traffic', name: published.name, ...traffic })
    }
  }
}

function sendOn(pump: Pump | undefined, message: AgentMessage): void {
  pump?.session.sendMessage(Buffer.from(JSON.stringify(message)))
  pump?.flush()
}

/** What makes a tunnel another one; its address rules change while it stands. */
function keyOf(wish: Wish): string {
  return JSON.stringify({ ...typedOf(wish), allow: undefined, deny: undefined })
}
