import type { Duplex } from 'node:stream'
import type { Visitor } from '../admit.ts'
import type { CheckedHead } from '../guard/head.ts'
import type { Countdown } from './countdown.ts'
import type { Exchange } from './exchange.ts'
import { valuesOf } from './headers.ts'
import type { KnownFields } from './known.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'
import type { Pauses } from './pauses.ts'
import type { ServiceAgent } from './service.ts'
import type { ServiceAnswer } from './upstream.ts'

/** One request of a visitor and the means to answer it. */
export interface Asked {
  readonly visitor: Visitor
  readonly head: CheckedHead
  readonly request: VisitorRequest
  readonly response: VisitorResponse
  readonly agent: ServiceAgent
  /** Of its connection. */
  readonly known?: KnownFields
  /** Of a connection that carries one request at a time: how long the service may be silent; whoever has it calls `timedOut`. */
  readonly silence?: Countdown
  readonly pauses?: Pauses
  /** Cuts the visitor's connection with a RST (its stream over HTTP/2): an answer that broke off must never look whole. */
  readonly cut: () => void
  /** HTTP/2: how long nothing may move. Over HTTP/1.1 a body has a least rate instead. */
  readonly idleMs?: number
  /** HTTP/2: sends the visitor back to HTTP/1.1, where it has a service connection to itself. RFC 9113 §7, HTTP_1_1_REQUIRED */
  readonly fallBack?: () => void
  /** For an upgrade: the protocol asked for, and what to do when the service switches to it. */
  readonly upgrade?: {
    readonly protocol: string
    /** `rest` came with the service's word. False: the answer is no proper one. */
    switched(answer: ServiceAnswer, service: Duplex, rest: Buffer, exchange: Exchange): boolean
    /** A 2xx would say to the visitor that its service has switched. RFC 8441 §4 */
    readonly refuses2xx?: boolean
  }
}

export function isGrpc({ headers }: Pick<VisitorRequest, 'headers'>): boolean {
  return /^application\/grpc/i.test(headers['content-type'] ?? '')
}

/** It is about who speaks on this connection, not in this request: NTLM and its kin. RFC 4559 */
export function tiesIdentity(
  { rawHeaders }: Pick<VisitorRequest, 'rawHeaders'> | ServiceAnswer,
  field: 'authorization' | 'www-authenticate',
): boolean {
  return valuesOf(rawHeaders, field).some((value) => /(?:^|,\s*)(?:ntlm|negotiate)\b/i.test(value))
}
