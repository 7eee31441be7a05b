import { EngawaError } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import type { Outgoing, Upstream, UpstreamEvents } from '../forward/upstream.ts'
import { type AnswerMemory, Ask, type Left } from './ask.ts'

/** A service that announces no idle time of its own is taken to keep a connection this long. */
const IDLE_MS = 60_000
/** How much earlier than the service the edge lets go, so that a request does not meet its FIN on the way. */
const MARGIN_MS = 1000
/** For a let-go connection to end in order before it is reset. */
const FAREWELL_MS = 5000

/** Told of a service connection. */
export interface ServiceConnectionEvents {
  /** It may be asked again. */
  freed(connection: ServiceConnection): void
  /** It may not be asked ever again. */
  gone(connection: ServiceConnection): void
}

/** idle: may be asked · asked: a request is on it · gone: on its way down, or another's. */
type Phase = 'idle' | 'asked' | 'gone'

/** One connection to a service over HTTP/1.1: a stream, and one request at a time on it. */
export class ServiceConnection {
  /** Requests with another one never share it. */
  readonly service: string
  readonly #stream: Stream
  readonly #events: ServiceConnectionEvents
  #phase: Phase = 'idle'
  #ask: Ask | undefined
  #asks = 0
  readonly #memory: AnswerMemory
  readonly #over = (left: Left, keepAlive?: string): void => this.#answered(left, keepAlive)
  #idleSince = 0
  #idleMs = IDLE_MS
  #timer: NodeJS.Timeout | undefined
  /** For how long it was set. */
  #timerMs = Number.POSITIVE_INFINITY

  /** `memory`: of all that one visitor has, whose answers are often alike. */
  constructor(service: string, stream: Stream, shared: ServiceConnectionEvents & { memory: AnswerMemory }) {
    this.service = service
    this.#stream = stream
    this.#events = shared
    this.#memory = shared.memory
    stream.handler = {
      data: (bytes) => {
        if (this.#ask !== undefined) return this.#ask.data(bytes)
        stream.consumed(bytes.length)
        // Asked for by nobody, it is there to answer the next request.
        if (this.#phase === 'idle') this.#leave(() => stream.reset('CANCELLED'))
      },
      end: () => {
        if (this.#ask !== undefined) this.#ask.hungUp()
        else if (this.#phase === 'idle') this.#leave(() => stream.end())
      },
      reset: (code) => {
        if (this.#ask !== undefined) this.#ask.failed(new EngawaError(code))
        else if (this.#phase === 'idle') this.#leave()
      },
      drain: () => this.#ask?.drained(),
    }
  }

  /** Sends a request; only while it is idle. `head`: as it goes out. */
  ask(outgoing: Outgoing, head: Buffer, events: UpstreamEvents): Upstream {
    this.#phase = 'asked'
    this.#ask = new Ask(outgoing, {
      stream: this.#stream,
      head,
      events,
      reused: this.#asks++ > 0,
      memory: this.#memory,
      over: this.#over,
    })
    return this.#ask
  }

  /** Its stream, for another way to use it; only while it is idle. */
  release(): Stream {
    this.#leave()
    return this.#stream
  }

  /** Ends an idle one in order. */
  letGo(): void {
    if (this.#phase === 'idle') this.#leave(() => this.#bidFarewell())
  }

  /** The visitor is gone: ends it when it is idle, else resets it. */
  destroy(): void {
    if (this.#phase === 'idle') this.letGo()
    else this.#ask?.destroy()
  }

  #answered(left: Left, keepAlive: string | undefined): void {
    this.#ask = undefined
    if (left === 'taken') return this.#leave()
    const seconds = keepAlive === undefined ? undefined : /(?:^|,)\s*timeout=(\d+)/i.exec(keepAlive)?.[1]
    this.#idleMs = seconds === undefined ? IDLE_MS : Math.min(IDLE_MS, Number(seconds) * 1000 - MARGIN_MS)
    if (left === 'kept' && this.#idleMs > 0 && !this.#stream.closed) {
      this.#phase = 'idle'
      this.#idleSince = performance.now()
      if (this.#idleMs < this.#timerMs) this.#lookIn(this.#idleMs)
      this.#events.freed(this)
    } else this.#leave(() => this.#bidFarewell())
  }

  /** One timer for all its requests: it may carry a million of them. */
  #look(): void {
    const left = this.#phase === 'idle' ? this.#idleSince + this.#idleMs - performance.now() : this.#idleMs
    if (left <= 0) this.letGo()
    else this.#lookIn(left)
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer)
    this.#timerMs = ms
    this.#timer = setTimeout(() => this.#look(), ms).unref()
  }

  #leave(then?: () => void): void {
    if (this.#phase === 'gone') return
    clearTimeout(this.#timer)
    this.#phase = 'gone'
    this.#events.gone(this)
    then?.()
  }

  #bidFarewell(): void {
    const stream = this.#stream
    if (stream.closed) return
    const timer = setTimeout(() => stream.reset('CANCELLED'), FAREWELL_MS).unref()
    const over = (): void => clearTimeout(timer)
    stream.handler = { data: (bytes) => stream.consumed(bytes.length), end: over, reset: over, drain: () => undefined }
    stream.end()
  }
}
