import type { Duplex } from 'node:stream'
import type { Stream } from '@engawa/shared/mux/events'
import type { Promptness } from './promptness.ts'

/** A request as a service is to get it, whichever HTTP it speaks. */
export interface Outgoing {
  readonly method: string
  /** Origin-form. */
  readonly path: string
  /** Names and values in turn, as of HTTP/1.1. */
  readonly fields: string[]
  readonly hasBody: boolean
  /** The visitor takes trailers. RFC 9110 §10.1.4 */
  readonly takesTrailers: boolean
  /** The protocol it asks to be switched to. */
  readonly upgrade: string | undefined
  readonly responseHeadBytes: number
  /** Requests with another one never share a service connection. */
  readonly service: string
  /** Throws SESSION_FULL. */
  readonly open: () => Stream
  /** Of its service. */
  readonly promptness: Promptness
}

/** A request on its way. */
export interface Upstream {
  /** False: wait for `drained`. */
  write(chunk: Buffer): boolean
  /** `trailers`: as `trailerFields` gives them. */
  end(trailers?: [string, string][]): void
  destroy(): void
}

/** What comes of a request. After `answered` or `broke` none but `drained` is called. */
export interface UpstreamEvents {
  /** 1xx, except 101. */
  interim(status: number, raw: readonly string[]): void
  answered(answer: ServiceAnswer): void
  /** The service speaks `protocol` from now on; `rest` came along with its word. */
  switched(answer: ServiceAnswer, service: Duplex, rest: Buffer): void
  drained(): void
  /** `again`: the service has not begun with it, so it may be asked once more. */
  broke(error: Error, again: boolean): void
}

/** Told of a body: data, then once `end` or `failed`; nothing after `destroy`. */
export interface BodyReader {
  data(chunk: Uint8Array): void
  end(): void
  failed(error: Error): void
}

/** A service's answer. Its body waits until somebody reads it. */
export interface ServiceAnswer {
  readonly status: number
  /** Undefined over HTTP/2, which has none. */
  readonly message: string | undefined
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
  /** Complete at 'end'. */
  readonly rawTrailers: readonly string[]
  readonly mayHaveTrailers: boolean
  /** Nothing comes after the head, neither body nor trailers. */
  readonly ended: boolean
  /** A piece of its body is the reader's only until `data` returns. */
  readonly lends?: boolean
  read(reader: BodyReader): void
  pause(): unknown
  resume(): unknown
  destroy(): unknown
  /** Nothing else is ever asked on its connection. */
  retire(): void
}

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Whether a request may be sent a second time though the service may have seen it. */
export function isRepeatable({ method, hasBody, upgrade }: Pick<Outgoing, 'method' | 'hasBody' | 'upgrade'>): boolean {
  return !hasBody && upgrade === undefined && IDEMPOTENT.has(method)
}
