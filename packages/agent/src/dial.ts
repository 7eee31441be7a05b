import { randomBytes } from 'node:crypto'
import { formatAddress, parseAddress } from '@engawa/shared/addresses'
import { Backoff } from '@engawa/shared/backoff'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import { type Challenge, dialCarrier } from '@engawa/shared/carrier/handshake-agent'
import type { Welcome } from '@engawa/shared/carrier/handshake-messages'
import { Pump, type PumpHandler } from '@engawa/shared/carrier/pump'
import { type Code, codeOf } from '@engawa/shared/errors'
import { Session } from '@engawa/shared/mux/session'
import { MAX_STREAMS, STREAM_FLOOR } from '@engawa/shared/wire/limits'
import type { Logger } from 'pino'
import type { Identity } from './identity.ts'
import { explainRefusal } from './join.ts'
import { version } from './version.ts'

/** One dial, from the name's lookup to the edge's challenge, milliseconds. */
const DIAL_MS = 10_000
/** Between two dials while streams wait: where packets vanish, only a new dial notices soon that they arrive again, milliseconds. */
const URGENT_MS = 1000
/** Dials at the same time; when streams wait, the oldest makes room. So each has three seconds, enough for a satellite. */
const MOST_DIALS = 3

/** What the dialler tells the agent, in the order of its happening. */
export interface DialHandler
  extends Pick<PumpHandler, 'opened' | 'message' | 'datagram' | 'flowClosed' | 'away' | 'resumed'> {
  /** A new session stands; nothing of an older one is known to the edge. */
  up(pump: Pump, edge: string): void
  carrierLost(left: number): void
  /** There is no carrier, and the next dial begins in `retryMs`. */
  retrying(retryMs: number, address: string, error: unknown): void
  /** The session is over. Another login follows unless `final`: the edge wants this agent no more. */
  down(code: Code, reason: string, final: boolean): void
}

interface Standing {
  readonly pump: Pump
  readonly session: Session
  readonly id: string
  readonly secret: Uint8Array
  readonly generation: number
}

/** Codes after which logging in again would be wrong: someone has decided so. */
const FINAL: ReadonlySet<Code> = new Set(['REVOKED', 'AGENT_UNKNOWN', 'REPLACED'])

/** Keeps one session to the edge alive for ever: dials, attaches, and logs in anew when there is nothing to attach to. */
export class Dialler {
  readonly #identity: Identity
  readonly #handler: DialHandler
  readonly #log: Logger
  /** Tells this process from another one with the same identity. protocol.md [H9] */
  readonly #instance: string = randomBytes(16).toString('base64url')
  readonly #backoff: Backoff = new Backoff()
  readonly #dials: Set<AbortController> = new Set()
  #standing: Standing | undefined
  #timer: NodeJS.Timeout | undefined
  #nextAddress = 0
  /** One login at a time; attaches may race. */
  #loggingIn = false
  #stopped = false

  constructor(identity: Identity, handler: DialHandler, log: Logger) {
    this.#identity = identity
    this.#handler = handler
    this.#log = log
  }

  get pump(): Pump | undefined {
    return this.#standing?.pump
  }

  start(): void {
    this.#dial()
  }

  /** Ends the session with a word to the edge, and dials no more. */
  stop(code: Code = 'SESSION_CLOSED'): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const dial of this.#dials) dial.abort()
    const standing = this.#standing
    // First, so that this end is not taken for the edge's.
    this.#standing = undefined
    standing?.pump.end(code)
  }

  /** Whether the session lacks a carrier that answers. */
  get #wanting(): boolean {
    if (this.#stopped) return false
    const standing = this.#standing
    return standing === undefined || standing.session.carriers.every((carrier) => carrier.suspect)
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#dial(), delayMs)
  }

  #dial(): void {
    clearTimeout(this.#timer)
    if (!this.#wanting || (this.#loggingIn && this.#standing === undefined)) return
    const [oldest] = this.#dials
    if (oldest !== undefined && this.#dials.size >= MOST_DIALS) oldest.abort()
    const address = this.#identity.addresses[this.#nextAddress++ % this.#identity.addresses.length] ?? ''
    const dial = new AbortController()
    this.#dials.add(dial)
    const standing = this.#standing
    if (standing === undefined) this.#loggingIn = true
    else if (standing.session.figures.streams > 0) this.#later(URGENT_MS)
    void this.#try(address, dial, standing)
  }

  async #try(address: string, dial: AbortController, standing: Standing | undefined): Promise<void> {
    let failure: unknown
    try {
      await this.#reach(address, dial, standing)
    } catch (error) {
      failure = error
    }
    this.#done(dial, standing)
    if (failure !== undefined) this.#failed(address, failure)
    else if (this.#wanting && this.#dials.size === 0) this.#later(URGENT_MS)
  }

  #done(dial: AbortController, standing: Standing | undefined): void {
    this.#dials.delete(dial)
    if (standing === undefined) this.#loggingIn = false
  }

  #failed(address: string, error: unknown): void {
    if (this.#stopped) return
    const code = codeOf(error)
    this.#log.info({ code, address, err: error }, 'a dial failed')
    if (FINAL.has(code)) return this.#over(code, (explainRefusal(error) as Error).message)
    if (!this.#wanting || this.#dials.size > 0) return
    const retryMs = Math.round(this.#backoff.next(performance.now()))
    if (this.#standing === undefined || this.#standing.session.carriers.length === 0) {
      this.#handler.retrying(retryMs, address, error)
    }
    this.#later(retryMs)
  }

  async #reach(address: string, dial: AbortController, standing: Standing | undefined): Promise<void> {
    const challenge = await dialCarrier({
      ...parseAddress(address),
      servername: `${standing === undefined ? 'new' : `g${standing.generation}`}.carrier.engawa.internal`,
      trust: { ca: this.#identity.ca },
      timeoutMs: DIAL_MS,
      signal: dial.signal,
    })
    if (!this.#wanting || this.#standing !== standing) return challenge.close()
    if (standing !== undefined && (await this.#attach(challenge, standing))) return
    // Another dial may have brought a new session meanwhile.
    if (this.#standing !== undefined || this.#stopped) return challenge.close()
    await this.#login(challenge)
  }

  /** False when the edge has no such session any more: the challenge is good for a login. protocol.md [H5] */
  async #attach(challenge: Challenge, standing: Standing): Promise<boolean> {
    const { session, pump, id, secret } = standing
    const number = session.nextCarrier()
    try {
      const lost = session.lostReport(number)
      const { welcome, carrier } = await challenge.attach(
        { session: id, carrier: number, lost },
        this.#identity.key,
        secret,
      )
      if (session.ended || this.#stopped) {
        carrier.destroy()
        return true
      }
      session.applyLost(welcome.lost, performance.now())
      this.#stands(carrier)
      pump.attach(number, carrier)
      return true
    } catch (error) {
      session.carrierClosed(number, performance.now())
      pump.flush()
      if (codeOf(error) !== 'SESSION_UNKNOWN') throw error
      // Its streams cannot go on anywhere: their services hear of it now.
      if (this.#standing === standing) pump.end('SESSION_UNKNOWN')
      return false
    }
  }

  async #login(challenge: Challenge): Promise<void> {
    this.#loggingIn = true
    try {
      const { welcome, carrier } = await challenge.login(
        {
          instance: this.#instance,
          maxStreams: MAX_STREAMS,
          credit: STREAM_FLOOR,
          software: `engawa-agent/${version()}`,
        },
        this.#identity.key,
      )
      if (this.#stopped) return carrier.destroy()
      this.#begin(welcome, carrier)
    } finally {
      this.#loggingIn = false
    }
  }

  #begin(welcome: Welcome, carrier: Carrier): void {
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
    const secret = Buffer.from(welcome.secret ?? '', 'base64url')
    const standing: Standing = { pump, session, id: welcome.session, secret, generation: welcome.generation }
    this.#standing = standing
    this.#stands(carrier)
    pump.attach(welcome.carrier, carrier)
    const { address: host, port } = carrier.remote
    handler.up(pump, formatAddress({ host, port }))
  }

  #stands(carrier: Carrier): void {
    this.#backoff.reset()
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
