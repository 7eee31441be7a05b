import { Agent, type AgentOptions, type ClientRequest, type ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Stream } from '@engawa/shared/mux/events'
import { type StreamDuplex, toDuplex } from '@engawa/shared/stream/duplex'

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
 * The service connection of one HTTP/1.1 visitor connection, kept between its requests.
 *
 * Visitors never share one: what a service ties to a connection (NTLM) stays with its visitor, and a poisoned answer
 * can reach nobody else.
 */
export class ServiceAgent extends Agent {
  readonly #idle = new Map<Duplex, NodeJS.Timeout>()
  #idleMs = IDLE_MS

  constructor() {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 } satisfies AgentOptions)
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
    return toDuplex((options as ServiceOptions).open())
  }

  override keepSocketAlive(connection: Duplex): boolean {
    // One kept connection, whatever the visitor asks for by turns.
    for (const other of Object.values(this.freeSockets).flat())
      if (other !== undefined && other !== connection) this.#letGo(other)
    if (this.#idleMs <= 0) return false
    const timer = setTimeout(() => this.#letGo(connection), this.#idleMs).unref()
    this.#idle.set(connection, timer)
    connection.once('close', () => this.#wake(connection))
    return true
  }

  override reuseSocket(connection: Duplex, request: ClientRequest): void {
    this.#wake(connection)
    super.reuseSocket(connection, request)
  }

  /** The visitor is gone: ends what is kept, resets what is under way. */
  override destroy(): void {
    for (const connection of Object.values(this.freeSockets).flat())
      if (connection !== undefined) this.#letGo(connection)
    for (const connection of Object.values(this.sockets).flat()) connection?.destroy()
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
