import type { Stream } from '@engawa/shared/mux/events'
import { type StreamDuplex, toDuplex } from '@engawa/shared/stream/duplex'
import { KnownLines } from '../http1/lines.ts'
import { ServiceConnection, type ServiceConnectionEvents } from '../http1/service-connection.ts'
import { H2cPool } from './h2c.ts'

/** Which service, and how to get a new stream to it. */
export interface ServiceAddress {
  /** Requests with another one never share a service connection. */
  readonly service: string
  /** Throws SESSION_FULL. */
  readonly open: () => Stream
}

/**
 * The service connections of one visitor connection, kept between its requests: one for HTTP/1.1, as many as it has
 * requests at once for HTTP/2.
 *
 * Visitors never share one: what a service ties to a connection (NTLM) stays with its visitor, and a poisoned answer
 * can reach nobody else.
 */
export class ServiceAgent {
  /** Of the request before; the next one often has the same fields. */
  readonly lines: KnownLines = new KnownLines('Connection: keep-alive\r\n')
  readonly #kept: number
  readonly #all = new Set<ServiceConnection>()
  /** The one that was freed last is asked first. */
  readonly #idle: ServiceConnection[] = []
  readonly #lent = new Set<StreamDuplex>()
  readonly #events: ServiceConnectionEvents = {
    freed: (connection) => this.#freed(connection),
    gone: (connection) => this.#gone(connection),
  }
  #h2c: H2cPool | undefined

  /** `kept`: how many may rest. */
  constructor(kept = 1) {
    this.#kept = kept
  }

  /** The connections to services that speak HTTP/2. */
  get h2c(): H2cPool {
    this.#h2c ??= new H2cPool()
    return this.#h2c
  }

  /** One that is idle, or a new one. Throws SESSION_FULL. */
  connection({ service, open }: ServiceAddress): ServiceConnection {
    const latest = this.#idle.at(-1)
    if (latest?.service === service) {
      this.#idle.pop()
      return latest
    }
    const at = this.#idle.findLastIndex((idle) => idle.service === service)
    const [kept] = at < 0 ? [] : this.#idle.splice(at, 1)
    if (kept !== undefined) return kept
    const fresh = new ServiceConnection(service, open(), this.#events)
    this.#all.add(fresh)
    return fresh
  }

  /** As `connection`, for one request in another way: it is never kept. Throws SESSION_FULL. */
  duplex(address: ServiceAddress): StreamDuplex {
    const duplex = toDuplex(this.connection(address).release())
    this.#lent.add(duplex)
    duplex.once('close', () => this.#lent.delete(duplex))
    return duplex
  }

  /** The visitor is gone: ends what is kept, resets what is under way. */
  destroy(): void {
    for (const connection of this.#all) connection.destroy()
    for (const duplex of this.#lent) duplex.destroy()
    this.#h2c?.destroy()
  }

  #freed(connection: ServiceConnection): void {
    this.#idle.push(connection)
    // So many in all, whatever the visitor asks for by turns.
    if (this.#idle.length > this.#kept) this.#idle[0]?.letGo()
  }

  #gone(connection: ServiceConnection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
