import type { ServerHttp2Stream } from 'node:http2'
import { answerFields, valuesOf } from './headers.ts'
import { endedWhole } from './http2-end.ts'
import { relay, serviceEnd } from './relay.ts'
import { acceptOf, type Switched } from './switched.ts'

/**
 * Joins a visitor over HTTP/2 and a service that has switched to a WebSocket. RFC 8441
 *
 * `key`: the Sec-WebSocket-Key that the edge gave the service. False when the service does not prove that it has read
 * it, as RFC 6455 §4.1 wants: it may be no WebSocket at all.
 */
export function joinHttp2(
  visitor: ServerHttp2Stream,
  { answer, service, rest, exchange, domain }: Switched,
  { key, cut }: { key: string; cut: () => void },
): boolean {
  if (answer.status === 101 && valuesOf(answer.rawHeaders, 'sec-websocket-accept')[0] !== acceptOf(key)) return false
  const head = [':status', '200']
  const fields = answerFields(answer.rawHeaders, { status: 101, domain, trailers: false })
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase()
    if (name !== 'sec-websocket-accept') head.push(name, fields[at + 1] ?? '')
  }
  visitor.respond(head)
  if (rest.length > 0) {
    visitor.write(rest)
    exchange.sent(rest.length)
  }
  relay(
    { duplex: visitor, whole: () => endedWhole(visitor), cut, onBytes: (count) => exchange.received(count) },
    { ...serviceEnd(service), onBytes: (count) => exchange.sent(count) },
  )
  return true
}
