import { type Code, rowOf } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'

/** How the last visitor found the way on to a service. */
export interface Finding {
  /** Why the agent did not reach it; undefined: it did. */
  readonly code: Code | undefined
  /** Monotonic milliseconds. */
  readonly at: number
}

/** An agent that names ever new services fills no memory: then the oldest findings go. */
const MOST = 4096

/** What streams have shown of an agent's services. Nobody is asked for it: a service hears from its visitors alone. */
export class Findings {
  readonly #asked = new WeakMap<Stream, number>()
  readonly #found = new Map<number, Finding>()

  asks(stream: Stream, service: number): void {
    this.#asked.set(stream, service)
  }

  /** The agent has reached the service of a stream, or has given the stream up with this code. */
  tried(stream: Stream, code: Code | undefined, at: number): void {
    const service = this.#asked.get(stream)
    if (service === undefined) return
    // What else ends a stream says nothing of the way on; nor does a service that breaks off: it was there.
    if (code !== undefined && (rowOf(code).fault !== 'service' || code === 'SERVICE_BROKE')) return
    this.#found.delete(service)
    this.#found.set(service, { code, at })
    const [oldest] = this.#found.keys()
    if (this.#found.size > MOST && oldest !== undefined) this.#found.delete(oldest)
  }

  of(service: number): Finding | undefined {
    return this.#found.get(service)
  }
}
