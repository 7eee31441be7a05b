import type { Stream } from '@engawa/shared/mux/events'
import { type StreamDuplex, toDuplex } from '@engawa/shared/stream/duplex'
import type { AnswerMemory } from '../http1/ask.ts'
import { KnownLines } from '../http1/lines.ts'
import { ServiceConnection, type ServiceConnectionEvents } from '../http1/service-connection.ts'
import { H2cPool } from './h2c.ts'
import { isRepeatable, type Outgoing, type Upstream, type UpstreamEvents } from './upstream.ts'
import { type Waiting, WaitingLine } from './waiting-line.ts'

/** Which service, and how to get a new stream to it. */
export interface ServiceAddress {
  /** Requests with another one never share a service connection. */
  readonly service: string
  /** Throws SESSION_FULL. */
  readonly open: () => Stream
}

/**
 * Requests at once for which connections are opened without a look whether one gets free, and how soon a service has to
 * answer for the others to wait, ms. One of so many connections then gets free every 0.2 ms, which is what a new one
 * costs edge and agent.
 */
const AT_ONCE = 32
const SOON_MS = 6
/** How many may be idle for a moment beyond those that are kept, and for how long, ms: a page asks on when it has its first answers. */
const LATELY = 100
const MOMENT_MS = 1000

/**
 * The service connections of one visitor connection, kept between its requests: one for HTTP/1.1, for HTTP/2
 * as many as it has requests at once, or fewer where a service answers soon.
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
  readonly #shared: ServiceConnectionEvents & { memory: AnswerMemory } = {
    memory: { known: undefined },
    freed: (connection) => this.#freed(connection),
    gone: (connection) => this.#gone(connection),
  }
  #line: WaitingLine | undefined
  #moment: NodeJS.Timeout | undefined
  #h2c: H2cPool | undefined

  /** `kept`: how many may rest for longer than a moment. */
  constructor(kept = 1) {
    this.#kept = kept
  }

  /** The connections to services that speak HTTP/2. */
  get h2c(): H2cPool {
    this.#h2c ??= new H2cPool()
    return this.#h2c
  }

  /** Sends a request on a connection that is idle, or a new one, or on the first that gets free. Throws SESSION_FULL. */
  ask(outgoing: Outgoing, head: Buffer, events: UpstreamEvents): Upstream {
    const idle = this.#takeIdle(outgoing.service)
    if (idle !== undefined) return idle.ask(outgoing, head, events)
    if (!this.#mayWait(outgoing)) return this.#open(outgoing).ask(outgoing, head, events)
    this.#line ??= new WaitingLine((all) => {
      for (const waiting of all) this.#sendAnew(waiting)
    })
    return this.#line.add(outgoing, head, events)
  }

  #mayWait(outgoing: Outgoing): boolean {
    if (this.#all.size < AT_ONCE || this.#line?.vain === true || !isRepeatable(outgoing)) return false
    const { soonestMs } = outgoing.promptness
    if (soonestMs !== undefined && soonestMs > SOON_MS) return false
    let busy = 0
    for (const { service } of this.#all) if (service === outgoing.service) busy++
    return busy >= AT_ONCE
  }

  #takeIdle(service: string): ServiceConnection | undefined {
    const latest = this.#idle.at(-1)
    if (latest?.service === service) {
      this.#idle.pop()
      return latest
    }
    const at = this.#idle.findLastIndex((idle) => idle.service === service)
    return at < 0 ? undefined : this.#idle.splice(at, 1)[0]
  }

  #open({ service, open }: ServiceAddress): ServiceConnection {
    const fresh = new ServiceConnection(service, open(), this.#shared)
    this.#all.add(fresh)
    return fresh
  }

  /** A connection for one request in another way: it is never kept. Throws SESSION_FULL. */
  duplex(address: ServiceAddress): StreamDuplex {
    const duplex = toDuplex((this.#takeIdle(address.service) ?? this.#open(address)).release())
    this.#lent.add(duplex)
    duplex.once('close', () => this.#lent.delete(duplex))
    return duplex
  }

  /** The visitor is gone: ends what is kept, resets what is under way. */
  destroy(): void {
    this.#line?.clear()
    clearTimeout(this.#moment)
    for (const connection of this.#all) connection.destroy()
    for (const duplex of this.#lent) duplex.destroy()
    this.#h2c?.destroy()
  }

  #freed(connection: ServiceConnection): void {
    const waiting = this.#line?.next(connection.service)
    if (waiting !== undefined) return this.#send(waiting, connection)
    this.#idle.push(connection)
    if (this.#idle.length <= this.#kept) return
    // So many in all, whatever the visitor asks for by turns.
    if (this.#kept === 1 || this.#idle.length > LATELY) return this.#idle[0]?.letGo()
    this.#moment ??= setTimeout(() => this.#rest(), MOMENT_MS).unref()
  }

  #rest(): void {
    this.#moment = undefined
    while (this.#idle.length > this.#kept) this.#idle[0]?.letGo()
  }

  #gone(connection: ServiceConnection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    const waiting = this.#line?.next(connection.service)
    if (waiting !== undefined) this.#sendAnew(waiting)
  }

  #sendAnew(waiting: Waiting): void {
    let fresh: ServiceConnection
    try {
      fresh = this.#open(waiting.outgoing)
    } catch (error) {
      return waiting.events.broke(error as Error, false)
    }
    this.#send(waiting, fresh)
  }

  #send(waiting: Waiting, connection: ServiceConnection): void {
    const { outgoing, head, events } = waiting
    waiting.asked = connection.ask(outgoing, head, events)
    waiting.asked.end()
  }
}
