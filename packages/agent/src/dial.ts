import { randomBytes } from 'node:crypto'
import { formatAddress } from '@engawa/shared/addresses'
import { Backoff } from '@engawa/shared/backoff'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import { type Challenge, dialCarrier } from '@engawa/shared/carrier/handshake-agent'
import type { Welcome } from '@engawa/shared/carrier/handshake-messages'
import { Pump, type PumpHandler } from '@engawa/shared/carrier/pump'
import { carrierName } from '@engawa/shared/carrier/trust'
import { type Code, codeOf } from '@engawa/shared/errors'
import { Session } from '@engawa/shared/mux/session'
import { MAX_STREAMS, STREAM_FLOOR } from '@engawa/shared/wire/limits'
import type { Logger } from 'pino'
import type { Identity } from './identity.ts'
import { explainRefusal } from './join.ts'
import { type Lookup, type Route, Routes } from './routes.ts'
import { Standing } from './standing.ts'
import { version } from './version.ts'

/** Between two steps of a dial (TCP, TLS, challenge, answer), milliseconds: where packets vanish, only a new dial notices that they arrive again. */
const STEP_MS = 1500
/** Every so many dials one may take its time: a line so slow must get in, too. */
const PATIENT_DIAL = 4
const PATIENT_STEP_MS = 10_000
/** Between two dials while no carrier answers, milliseconds. */
const URGENT_MS = 500
/** One that has reached the edge's machine has so long to get an answer before another is begun, milliseconds: a busy edge is not helped by more. */
const REACHED_MS = 1000
/** Dials at the same time, then. */
const MOST_DIALS = 3
/** After a loss the edge has others to greet, too: further carriers are dialled somewhere within this time, milliseconds. */
const SPREAD_MS = 500
/** An edge that took long has many others: then within so many times what the first carrier took, at most `MOST_SPREAD_MS`. */
const SPREAD_TIMES = 4
const MOST_SPREAD_MS = 5000
export const CARRIERS = 2

/** What the dialler tells the agent, in the order of its happening. */
export interface DialHandler
  extends Pick<PumpHandler, 'opened' | 'message' | 'datagram' | 'flowClosed' | 'away' | 'resumed'> {
  /** A new session stands; nothing of an older one is known to the edge. */
  up(pump: Pump, edge: string): void
  /** As many carriers stand as are wanted, or one more could not be had now. */
  settled(): void
  carrierLost(left: number): void
  /** There is no carrier, and the next dial begins in `retryMs`. */
  retrying(retryMs: number, address: string, error: unknown): void
  /** The session is over. Another login follows unless `final`: the edge wants this agent no more. */
  down(code: Code, reason: string, final: boolean): void
}

/** Codes after which logging in again would be wrong: someone has decided so. */
const FINAL: ReadonlySet<Code> = new Set(['REVOKED', 'AGENT_UNKNOWN', 'REPLACED'])

interface Dial {
  readonly abort: AbortController
  readonly startedAt: number
  /** When TCP stood. */
  reachedAt: number
  route: Route | undefined
}

export interface DialSettings {
  readonly identity: Identity
  /** How many carriers the session should have. */
  readonly carriers?: number
  /** Leaves another process with this identity in peace: the login is refused while that has a session. protocol.md [H9] */
  readonly yields?: boolean
  /** Tells this process from another one with the same identity; one for all its sessions. protocol.md [H9] */
  readonly instance?: string
  readonly log: Logger
  readonly lookup?: Lookup
  /** Carriers without TLS: for the bench alone, no flag reaches it. */
  readonly plain?: boolean
}

/**
 * Keeps one session to the edge alive for ever: dials, attaches, and logs in anew when there is nothing to attach to.
 *
 * While no carrier answers it is in a hurry: a new attempt every 500 ms, at most three at once. What is missing beside
 * a carrier that answers is dialled one by one.
 */
export class Dialler {
  readonly #identity: Identity
  readonly #handler: DialHandler
  readonly #log: Logger
  readonly #wanted: number
  readonly #routes: Routes
  readonly #plain: boolean
  readonly #instance: string
  readonly #backoff: Backoff = new Backoff()
  readonly #furtherBackoff: Backoff = new Backoff()
  readonly #dials: Set<Dial> = new Set()
  #standing: Standing | undefined
  #timer: NodeJS.Timeout | undefined
  #dialled = 0
  /** One login at a time; attaches may race. */
  #loggingIn = false
  #yields: boolean
  #attaching = 0
  /** Sessions so far. */
  #begun = 0
  #stopped = false
  #retired = false

  constructor(settings: DialSettings, handler: DialHandler) {
    const { identity, carriers = CARRIERS, yields = false, log, lookup, plain = false } = settings
    this.#instance = settings.instance ?? newInstance()
    this.#identity = identity
    this.#handler = handler
    this.#log = log
    this.#wanted = carriers
    this.#yields = yields
    this.#routes = new Routes(identity.addresses, lookup)
    this.#plain = plain
  }

  get pump(): Pump | undefined {
    return this.#standing?.pump
  }

  /** Of the edge's process that holds the session; 0 without one. */
  get generation(): number {
    return this.#standing?.generation ?? 0
  }

  start(): void {
    this.#dial()
  }

  /** Keeps the session for as long as the edge does, and logs in no more. protocol.md [G1] */
  retire(): void {
    this.#retired = true
  }

  /** Ends the session with a word to the edge, and dials no more. */
  stop(code: Code = 'SESSION_CLOSED'): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const { abort } of this.#dials) abort.abort()
    const standing = this.#standing
    // First, so that this end is not taken for the edge's.
    this.#standing = undefined
    standing?.pump.end(code)
  }

  /** The machine's network is another: `present` are the addresses that it has now. */
  networkChanged(present: ReadonlySet<string>): void {
    if (this.#stopped) return
    this.#log.info('the network of this machine has changed')
    this.#backoff.reset()
    this.#furtherBackoff.reset()
    this.#routes.forgive()
    for (const { abort } of this.#dials) abort.abort()
    this.#dials.clear()
    this.#standing?.doubt(present)
    this.#dial()
  }

  /** Asks every carrier for a sign of life and waits for the answers, at most `mostMs`. */
  async ask(mostMs: number): Promise<void> {
    await this.#standing?.ask(mostMs)
  }

  /** How many carriers that answer are missing. */
  get #lacking(): number {
    if (this.#stopped) return 0
    if (this.#standing === undefined) return this.#retired ? 0 : 1
    return this.#wanted - this.#standing.trusted.length
  }

  get #urgent(): boolean {
    return (this.#standing?.trusted.length ?? 0) === 0
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dial(), delayMs)
  }

  #dial(): void {
    clearTimeout(this.#timer)
    if (this.#lacking <= 0) return
    // The end of one of them looks again.
    if (this.#dials.size >= (this.#urgent ? MOST_DIALS : 1)) return
    const since = performance.now() - REACHED_MS
    if ([...this.#dials].some(({ reachedAt }) => reachedAt > since)) return this.#later(URGENT_MS)
    const dial: Dial = {
      abort: new AbortController(),
      startedAt: performance.now(),
      reachedAt: Number.NEGATIVE_INFINITY,
      route: undefined,
    }
    this.#dials.add(dial)
    const standing = this.#standing
    void this.#try(dial, standing)
    if (this.#urgent) this.#later(URGENT_MS)
  }

  async #try(dial: Dial, standing: Standing | undefined): Promise<void> {
    let failure: unknown
    try {
      await this.#reach(dial, standing)
    } catch (error) {
      failure = error
    }
    this.#dials.delete(dial)
    if (this.#stopped || dial.abort.signal.aborted) return
    if (failure === undefined) {
      if (this.#lacking <= 0) this.#handler.settled()
      else if (this.#urgent) this.#later(URGENT_MS)
    } else this.#failed(dial.route, failure)
  }

  #failed(route: Route | undefined, error: unknown): void {
    const now = performance.now()
    const code = codeOf(error)
    const address = route?.address ?? this.#identity.addresses[0] ?? ''
    this.#log.info({ code, address, host: route?.host, err: error }, 'a dial failed')
    if (route !== undefined) this.#routes.failed(route, now)
    if (FINAL.has(code)) return this.#over(code, (explainRefusal(error) as Error).message)
    if (this.#lacking <= 0) return
    if (this.#urgent) {
      const waits = (this.#standing?.session.figures.streams ?? 0) > 0
      const pauseMs = Math.round(this.#backoff.next(now))
      const retryMs = this.#routes.hasUntried(this.#underWay, now) ? 0 : waits ? Math.min(URGENT_MS, pauseMs) : pauseMs
      if ((this.#standing?.session.carriers.length ?? 0) === 0) this.#handler.retrying(retryMs, address, error)
      this.#later(retryMs)
    } else {
      this.#handler.settled()
      this.#later(this.#routes.hasUntried(this.#underWay, now) ? 0 : Math.round(this.#furtherBackoff.next(now)))
    }
  }

  async #reach(dial: Dial, standing: Standing | undefined): Promise<void> {
    const route = await this.#routes.next(this.#underWay, this.#standing?.remotes ?? [], performance.now())
    dial.route = route
    const challenge = await dialCarrier({
      host: route.host,
      port: route.port,
      servername: carrierName(standing?.generation ?? 'new'),
      // Zeros as inside TLS: what is measured without TLS is all that runs inside it.
      ...(this.#plain ? { trust: 'plain', mask: 'zero' } : { trust: { ca: this.#identity.ca } }),
      timeoutMs: ++this.#dialled % PATIENT_DIAL === 0 ? PATIENT_STEP_MS : STEP_MS,
      signal: dial.abort.signal,
      onReached: () => {
        dial.reachedAt = performance.now()
      },
    })
    this.#routes.stood(route)
    if (this.#standing !== standing || this.#lacking <= 0) return challenge.close()
    if (standing !== undefined) {
      // Those that have asked for their place may get it; when nothing answers, nobody counts on them.
      if (!this.#urgent && this.#lacking <= this.#attaching) return challenge.close()
      if (await this.#attach(challenge, standing, dial)) return
    }
    // Another dial may have brought a new session meanwhile.
    if (this.#standing !== undefined || this.#stopped || this.#loggingIn || this.#retired) return challenge.close()
    await this.#login(challenge, dial)
  }

  get #underWay(): Route[] {
    return [...this.#dials].flatMap(({ route }) => (route === undefined ? [] : [route]))
  }

  /** False when the edge has no such session any more: the challenge is good for a login. protocol.md [H5] */
  async #attach(challenge: Challenge, standing: Standing, dial: Dial): Promise<boolean> {
    const { session, pump, id, secret } = standing
    const number = session.nextCarrier()
    this.#attaching++
    try {
      const lost = session.lostReport(number)
      const { welcome, carrier } = await challenge.attach(
        { session: id, carrier: number, lost },
        this.#identity.key,
        secret,
      )
      if (session.ended || this.#stopped || this.#lacking <= 0) {
        carrier.destroy()
        session.carrierClosed(number, performance.now())
        pump.flush()
        return true
      }
      const wasAway = session.carriers.length === 0
      session.applyLost(welcome.lost, performance.now())
      this.#stands(carrier)
      pump.attach(number, carrier)
      if (this.#lacking > 0) this.#later(wasAway ? spreadOf(dial) : 0)
      return true
    } catch (error) {
      session.carrierClosed(number, performance.now())
      pump.flush()
      if (codeOf(error) !== 'SESSION_UNKNOWN') throw error
      // Its streams cannot go on anywhere: their services hear of it now.
      if (this.#standing === standing) pump.end('SESSION_UNKNOWN')
      return false
    } finally {
      this.#attaching--
    }
  }

  async #login(challenge: Challenge, dial: Dial): Promise<void> {
    this.#loggingIn = true
    try {
      const { welcome, carrier } = await challenge.login(
        {
          instance: this.#instance,
          maxStreams: MAX_STREAMS,
          credit: STREAM_FLOOR,
          software: `engawa-agent/${version()}`,
          ...(this.#yields && { yields: true }),
        },
        this.#identity.key,
      )
      if (this.#stopped) return carrier.destroy()
      this.#begin(welcome, carrier, dial)
    } finally {
      this.#loggingIn = false
    }
  }

  #begin(welcome: Welcome, carrier: Carrier, dial: Dial): void {
    const { maxStreams, graceMs } = welcome
    const session = new Session({ side: 'agent', maxStreams, ownCredit: STREAM_FLOOR, graceMs }, performance.now())
    const handler = this.#handler
    const pump = new Pump(session, {
      opened: (stream) => handler.opened(stream),
      message: (json) => handler.message(json),
      datagram: (flow, opening, bytes) => handler.datagram(flow, opening, bytes),
      flowClosed: (flow) => handler.flowClosed(flow),
      carrierLost: (_, left) => {
        handler.carrierLost(left)
        this.#dial()
      },
      carrierSuspect: () => this.#dial(),
      carrierTrusted: () => {},
      away: () => handler.away(),
      resumed: (awayMs, streams) => handler.resumed(awayMs, streams),
      failed: (error) => this.#log.error({ err: error }, 'a stream was dropped for a fault of ours'),
      closed: (code, reason) => {
        if (this.#standing === standing) this.#over(code, reason)
      },
    })
    const standing = new Standing(welcome, session, pump)
    this.#standing = standing
    this.#yields = false
    this.#stands(carrier)
    pump.attach(welcome.carrier, carrier)
    const { address: host, port } = carrier.remote
    handler.up(pump, formatAddress({ host, port }))
    if (this.#lacking > 0) this.#later(this.#begun++ === 0 ? 0 : spreadOf(dial))
  }

  #stands(carrier: Carrier): void {
    this.#backoff.reset()
    this.#furtherBackoff.reset()
    this.#log.info({ remote: carrier.remote, local: carrier.local }, 'a carrier stands')
  }

  #over(code: Code, reason: string): void {
    this.#standing = undefined
    const final = FINAL.has(code)
    if (final) this.stop()
    this.#handler.down(code, reason, final)
    if (!this.#stopped && !this.#loggingIn) this.#later(Math.round(this.#backoff.next(performance.now())))
  }
}

/** When to dial the next carrier behind the first, milliseconds from now. */
function spreadOf({ startedAt }: Dial): number {
  const took = performance.now() - startedAt
  return Math.random() * Math.min(MOST_SPREAD_MS, Math.max(SPREAD_MS, SPREAD_TIMES * took))
}

export function newInstance(): string {
  return randomBytes(16).toString('base64url')
}
