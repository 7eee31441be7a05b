import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { valuesOf } from './headers.ts'
import type { ServiceAnswer } from './upstream.ts'

/** A service has switched, and what came with its word. */
export interface Switched {
  readonly answer: ServiceAnswer
  readonly service: Duplex
  readonly rest: Buffer
  readonly exchange: Exchange
  readonly domain: string
}

/** Whether a service over HTTP/1.1 has switched to what it was asked for; over HTTP/2 it can't do otherwise. */
export function isAgreed({ status, rawHeaders }: ServiceAnswer, protocol: string): boolean {
  const given = valuesOf(rawHeaders, 'upgrade')
  return status !== 101 || (given.length === 1 && given[0]?.toLowerCase() === protocol.toLowerCase())
}

/** What proves that a WebSocket was meant. RFC 6455 §4.2.2 */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key.trim()}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}
