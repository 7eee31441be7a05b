import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { StreamDuplex } from '@engawa/shared/stream/duplex'
import { splice } from '@engawa/shared/stream/splice'
import type { Exchange } from './exchange.ts'
import { answerFields, valuesOf } from './headers.ts'
import { relay, serviceEnd } from './relay.ts'
import { acceptOf, type Switched } from './switched.ts'

/** h2c and TLS would hand the service bytes that no check has seen as requests: smuggling by upgrade. */
const REFUSED = /^(?:h2c?|http\/|tls\/)/i

/** The protocol that a request may be upgraded to. Without one the Upgrade field is dropped like every hop-by-hop field and the request goes on. */
export function upgradeOf(request: IncomingMessage): string | undefined {
  const { upgrade, 'content-length': length, 'transfer-encoding': encoding } = request.headers
  const bodiless = encoding === undefined && (length === undefined || length === '0')
  if (upgrade === undefined || !bodiless || request.method !== 'GET' || request.httpVersion !== '1.1') return undefined
  // One protocol, one token: a list could be answered with any of it.
  return /^[\w!#$%&'*+.^`|~/-]+$/.test(upgrade) && !REFUSED.test(upgrade) ? upgrade : undefined
}

/**
 * Joins a visitor over HTTP/1.1 and a service that has switched: the 101, then the bytes both ways, outside HTTP.
 *
 * `early` is what the visitor sent before the 101; it goes only now. `key`: of its Sec-WebSocket-Key.
 */
export function join(
  visitor: Socket,
  switched: Switched,
  { protocol, early, key, cut }: { protocol: string; early: Buffer; key: string; cut: () => void },
): void {
  const { answer, service, rest, exchange, domain } = switched
  const fields = answerFields(answer.rawHeaders, { status: 101, domain, trailers: false })
  fields.push('Connection', 'Upgrade', 'Upgrade', valuesOf(answer.rawHeaders, 'upgrade')[0] ?? protocol)
  // Over HTTP/2 there is no such proof, so the edge gives it.
  if (answer.status !== 101) fields.push('Sec-WebSocket-Accept', acceptOf(key))
  let head = `HTTP/1.1 101 ${answer.message ?? 'Switching Protocols'}\r\n`
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at] ?? ''}: ${fields[at + 1] ?? ''}\r\n`
  visitor.write(`${head}\r\n`, 'latin1')
  if (service instanceof StreamDuplex) return spliceRest(visitor, service, { rest, early, exchange })
  if (early.length > 0) service.write(early)
  if (visitor.readableEnded) service.end()
  return relay(
    { duplex: visitor, whole: () => visitor.readableEnded, cut, onBytes: (count) => exchange.received(count) },
    { ...serviceEnd(service), onBytes: (count) => exchange.sent(count) },
  )
}

function spliceRest(
  visitor: Socket,
  service: StreamDuplex,
  { rest, early, exchange }: { rest: Buffer; early: Buffer; exchange: Exchange },
): void {
  // The Duplex is left behind: what it still holds goes first, then the stream itself is spliced.
  const first = Buffer.concat([rest, (service.read() as Buffer | null) ?? Buffer.alloc(0)])
  if (first.length > 0) visitor.write(first)
  exchange.sent(first.length)
  const ended = visitor.readableEnded
  if (early.length > 0 && ended) service.stream.write(early)
  else if (early.length > 0) visitor.unshift(early)
  splice(visitor, service.stream, {
    onBytes: (fromVisitor, toVisitor) => {
      exchange.received(fromVisitor)
      exchange.sent(toVisitor)
    },
  })
  // A FIN that came before the 101 will not be heard again.
  if (ended) service.stream.end()
  // An END that came in one turn with the 101 was told to the Duplex.
  service.once('end', () => visitor.end())
  service.resume()
}
