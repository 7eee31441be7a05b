import { Agent, type AgentOptions, type ClientRequest, type ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Stream } from '@engawa/shared/mux/events'
import { type StreamDuplex, toDuplex } from '@engawa/shared/stream/duplex'
import { H2cPool } from './h2c.ts'

/** Beside what http.request wants: which service, and how to get a new stream to it. */
export interface ServiceOptions extends ClientRequestArgs {
  readonly service: string
  readonly open: () => Stream
}

/** A service that announces no idle time of its own is taken to keep a connection this long. */
const IDLE_MS = 60_000
/** How much earlier than the service the edge lets go, so that a request does not meet its FIN on the way. */
const MARGIN_MS = 1000
/** For a let-go connection to end in order before it is reset. */
const FAREWELL_MS = 5000

/**
 * The service connections of one visitor connection, kept between its requests: one for HTTP/1.1, as many as it has
 * requests at once for HTTP/2.
 *
 * Visitors never share one: what a service ties to a connection (NTLM) stays with its visitor, and a poisoned answer
 * can reach nobody else.
 */
export class ServiceAgent extends Agent {
  readonly #idle = new Map<Duplex, NodeJS.Timeout>()
  readonly #tied = new WeakSet<Duplex>()
  readonly #kept: number
  #h2c: H2cPool | undefined
  #idleMs = IDLE_MS

  /** `kept`: how many may rest. */
  constructor(kept = 1) {
    const maxSockets = kept === 1 ? 1 : Number.POSITIVE_INFINITY
    super({ keepAlive: true, maxSockets, maxFreeSockets: kept, scheduling: 'lifo' } satisfies AgentOptions)
    this.#kept = kept
  }

  /** The connections to services that speak HTTP/2. */
  get h2c(): H2cPool {
    this.#h2c ??= new H2cPool()
    return this.#h2c
  }

  /** The Keep-Alive field of the latest answer. */
  announced(keepAlive: string): void {
    const seconds = /(?:^|,)\s*timeout=(\d+)/i.exec(keepAlive)?.[1]
    this.#idleMs = seconds === undefined ? IDLE_MS : Math.min(IDLE_MS, Number(seconds) * 1000 - MARGIN_MS)
  }

  override getName(options?: unknown): string {
    return (options as ServiceOptions | undefined)?.service ?? ''
  }

  override createConnection(options: unknown): StreamDuplex {
    const connection = toDuplex((options as ServiceOptions).open())
    // Once for all its requests: it may carry a million of them.
    connection.once('close', () => this.#wake(connection))
    return connection
  }

  override keepSocketAlive(connection: Duplex): boolean {
    // So many in all, whatever the visitor asks for by turns.
    const others = Object.values(this.freeSockets)
      .flat()
      .filter((other) => other !== undefined && other !== connection)
    for (const other of others.slice(0, Math.max(0, others.length - this.#kept + 1)))
      if (other !== undefined) this.#letGo(other)
    if (this.#idleMs <= 0 || this.#tied.has(connection)) return false
    const timer = setTimeout(() => this.#letGo(connection), this.#idleMs).unref()
    this.#idle.set(connection, timer)
    return true
  }

  override reuseSocket(connection: Duplex, request: ClientRequest): void {
    this.#wake(connection)
    super.reuseSocket(connection, request)
  }

  /** The service has tied somebody to this connection, and the next request on it may be another's. */
  neverKeep(connection: Duplex): void {
    this.#tied.add(connection)
  }

  /** The visitor is gone: ends what is kept, resets what is under way. */
  override destroy(): void {
    for (const connection of Object.values(this.freeSockets).flat())
      if (connection !== undefined) this.#letGo(connection)
    for (const connection of Object.values(this.sockets).flat()) connection?.destroy()
    this.#h2c?.destroy()
  }

  #wake(connection: Duplex): void {
    clearTimeout(this.#idle.get(connection))
    this.#idle.delete(connection)
  }

  #letGo(connection: Duplex): void {
    this.#wake(connection)
    const timer = setTimeout(() => connection.destroy(), FAREWELL_MS).unref()
    connection.once('close', () => clearTimeout(timer))
    connection.on('error', nothing)
    connection.resume()
    connection.end()
    connection.emit('agentRemove')
  }
}

function nothing(): void {}
