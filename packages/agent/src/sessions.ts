import type { Pump } from '@engawa/shared/carrier/pump'
import { type Code, EngawaError } from '@engawa/shared/errors'
import { MessageRate } from '@engawa/shared/mux/message-rate'
import type { Session } from '@engawa/shared/mux/session'
import { type AgentMessage, type EdgeMessage, parseEdgeMessage } from '@engawa/shared/wire/control'
import { EDGE_MESSAGES } from '@engawa/shared/wire/limits'
import type { Logger } from 'pino'
import { type DialHandler, Dialler, type DialSettings } from './dial.ts'

/** How long `connected` waits for the other carriers, milliseconds: it is to tell how many there are. */
const GREETING_MS = 1000
/** Sessions that the edge finishes after an upgrade, at most: past that it is no upgrade that it is about. */
const MOST_FORMER = 32

export interface SessionsSettings extends Omit<DialSettings, 'lookup'> {
  readonly log: Logger
  /** Default 1000. */
  readonly greetingMs?: number | undefined
}

/** What the edge says by the present session. Of a former one only what is between it and its streams is told. */
export interface SessionsHandler
  extends Pick<DialHandler, 'opened' | 'datagram' | 'flowClosed' | 'resumed' | 'retrying' | 'carrierLost'> {
  /** A new session stands: the edge has to be asked for every tunnel. */
  up(): void
  /** The session stands for people, too: not told of one that an upgrade of the edge has moved to. */
  connected(edge: string, carriers: number): void
  away(): void
  /** In the order in which they were sent, none before `connected`. */
  message(message: EdgeMessage): void
  /** From a former session: what it still tells of its visitors. */
  lateMessage(message: EdgeMessage): void
  /** A session, the present or a former one, is about to be taken off the list. */
  leaving(): void
  /** No session is left. Another one follows unless `final`. */
  down(code: Code, reason: string, final: boolean): void
}

/** One session with the edge. */
interface Line {
  readonly dialler: Dialler
  /** Undefined: none stands. */
  pump: Pump | undefined
}

/**
 * The sessions of an agent: the one that new visitors come by, and those with processes of the edge that have been
 * upgraded, where what runs goes on until the edge ends them. protocol.md [G1]
 */
export class Sessions {
  readonly #settings: SessionsSettings
  readonly #handler: SessionsHandler
  #line: Line
  readonly #former: Set<Line> = new Set()
  /** Over all sessions: a hacked edge that ends one and floods the next gains nothing. */
  readonly #rate: MessageRate = new MessageRate(EDGE_MESSAGES, performance.now())
  /** While an upgrade of the edge goes on, that of the former session until the new one stands. */
  #pump: Pump | undefined
  #edge: string | undefined
  #awaySince: number | undefined
  #greeting: NodeJS.Timeout | undefined
  /** Messages that came before `connected` was told. */
  #early: string[] | undefined
  #waiters: (() => void)[] = []

  constructor(settings: SessionsSettings, handler: SessionsHandler) {
    this.#settings = settings
    this.#handler = handler
    this.#line = this.#newLine(settings)
  }

  start(): void {
    this.#line.dialler.start()
  }

  /** Ends them all at once. */
  stop(): void {
    clearTimeout(this.#greeting)
    for (const { dialler } of this.#lines) dialler.stop()
  }

  get pump(): Pump | undefined {
    return this.#pump
  }

  /** All that stand. */
  get standing(): Session[] {
    return this.#lines.flatMap(({ pump }) => pump?.session ?? [])
  }

  /** Those that an upgrade of the edge has left behind. */
  get former(): Pump[] {
    return [...this.#former].flatMap(({ pump }) => pump ?? [])
  }

  /** The address by which the edge was reached last. */
  get edge(): string | undefined {
    return this.#edge
  }

  /** For how long the session has had no carrier, or there has been none, milliseconds; undefined: it has one. */
  get awayMs(): number | undefined {
    return this.#awaySince === undefined ? undefined : performance.now() - this.#awaySince
  }

  /** `connected` was told, and it is so. */
  get isConnected(): boolean {
    return this.#pump !== undefined && this.#early === undefined && this.#awaySince === undefined
  }

  /** Resolves when a session stands. */
  whenUp(): Promise<void> {
    if (this.#pump !== undefined) return Promise.resolve()
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** The machine has another network: `present` are the addresses that it has now. */
  networkChanged(present: ReadonlySet<string>): void {
    for (const { dialler } of this.#lines) dialler.networkChanged(present)
  }

  /** Asks each carrier for a sign of life and waits for the answers, at most `timeoutMs`. */
  async probe(timeoutMs: number): Promise<void> {
    await Promise.all(this.#lines.map(({ dialler }) => dialler.ask(timeoutMs)))
  }

  send(message: AgentMessage): void {
    sendOn(this.#pump, message)
    // What is taken off is to be reached by nobody, also not by those who came before.
    if (message.type === 'unbind') for (const pump of this.former) if (pump !== this.#pump) sendOn(pump, message)
  }

  /** Every session is told that the agent finishes what runs. */
  drain(): void {
    for (const { pump } of this.#lines) sendOn(pump, { type: 'drain' })
  }

  get #lines(): Line[] {
    return [this.#line, ...this.#former]
  }

  #newLine(settings: SessionsSettings): Line {
    const line: Line = {
      dialler: new Dialler(
        settings,
        this.#hears(() => line),
      ),
      pump: undefined,
    }
    return line
  }

  #hears(line: () => Line): DialHandler {
    const handler = this.#handler
    const ifPresent =
      <Args extends unknown[]>(act: (...args: Args) => void) =>
      (...args: Args): void => {
        if (line() === this.#line) act(...args)
      }
    return {
      opened: (stream) => handler.opened(stream),
      message: (json) => this.#received(json, line() === this.#line),
      datagram: ifPresent((flow, opening, bytes) => handler.datagram(flow, opening, bytes)),
      flowClosed: ifPresent((flow) => handler.flowClosed(flow)),
      away: ifPresent(() => this.#away()),
      resumed: ifPresent((awayMs, streams) => {
        this.#awaySince = undefined
        handler.resumed(awayMs, streams)
      }),
      up: ifPresent((pump, edge) => {
        line().pump = pump
        this.#up(pump, edge)
      }),
      settled: ifPresent(() => this.#greet()),
      carrierLost: ifPresent((left) => {
        this.#greet(left + 1)
        handler.carrierLost(left)
      }),
      retrying: ifPresent((retryMs, address, error) => handler.retrying(retryMs, address, error)),
      down: (code, reason, final) => this.#ended(line(), code, reason, final),
    }
  }

  #up(pump: Pump, edge: string): void {
    const moved = this.#pump !== undefined
    this.#pump = pump
    this.#edge = edge
    this.#awaySince = undefined
    this.#handler.up()
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
    this.#handler.connected(this.#edge, carriers)
    for (const json of early) this.#take(json)
  }

  #away(): void {
    this.#awaySince = performance.now()
    this.#handler.away()
  }

  #ended(line: Line, code: Code, reason: string, final: boolean): void {
    this.#handler.leaving()
    const { pump } = line
    line.pump = undefined
    if (line !== this.#line) {
      this.#former.delete(line)
      this.#settings.log.info({ code, reason }, 'a former session has ended')
      // Only if the next one does not stand yet was it the one that visitors came by.
      if (pump !== this.#pump) return
    }
    this.#pump = undefined
    clearTimeout(this.#greeting)
    this.#early = undefined
    this.#awaySince ??= performance.now()
    this.#handler.down(code, reason, final && line === this.#line)
  }

  /** Throws MESSAGE_FLOOD: the pump ends the session with it. */
  #received(json: string, isPresent: boolean): void {
    if (!this.#rate.take(performance.now())) throw new EngawaError('MESSAGE_FLOOD')
    if (!isPresent) this.#handler.lateMessage(parseEdgeMessage(json))
    else if (this.#early !== undefined) this.#early.push(json)
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
    if (message.type !== 'drain') this.#handler.message(message)
    else if (message.to !== undefined) this.#moveTo(message.to)
  }

  /** The edge is being upgraded: new visitors come by a session with its new process, those inside stay. protocol.md [G1] */
  #moveTo(generation: number): void {
    const { generation: present } = this.#line.dialler
    if (present === 0 || generation <= present || this.#former.size >= MOST_FORMER) return
    this.#settings.log.info({ from: present, to: generation }, 'the edge is being upgraded')
    this.#line.dialler.retire()
    this.#former.add(this.#line)
    // Until it stands, the former one is what there is.
    this.#line = this.#newLine({ ...this.#settings, yields: false })
    this.#line.dialler.start()
  }
}

function sendOn(pump: Pump | undefined, message: AgentMessage): void {
  pump?.session.sendMessage(Buffer.from(JSON.stringify(message)))
  pump?.flush()
}
