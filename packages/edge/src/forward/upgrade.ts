import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { answerFields } from './headers.ts'
import type { Exchange } from './http.ts'

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

/** After the service's 101: passes it on, then the bytes both ways. `early`: what the visitor sent before it; it goes only now. */
export function join(
  visitor: Socket,
  service: Duplex,
  { answer, rest, early, exchange, domain, cut }: { answer: IncomingMessage; rest: Buffer; early: Buffer; exchange: Exchange; domain: string; cut: () => void },
): void {
  const fields = [...answerFields(answer.rawHeaders, { status: 101, domain, trailers: false }), 'Connection', 'Upgrade', 'Upgrade', String(answer.headers.upgrade)]
  let head = `HTTP/1.1 101 ${answer.statusMessage ?? ''}\r\n`
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at] ?? ''}: ${fields[at + 1] ?? ''}\r\n`
  visitor.write(`${head}\r\n`, 'latin1')
  pass(visitor, service, early, (bytes) => exchange.received(bytes))
  pass(service, visitor, rest, (bytes) => exchange.sent(bytes))
  // What ends without an END from both sides was cut, and is cut for the other too.
  visitor.once('close', () => service.destroy())
  service.once('close', () => {
    if (service.readableEnded && service.writableFinished) return
    cut()
  })
  visitor.on('error', () => service.destroy())
  service.on('error', cut)
}

function pass(from: Duplex, to: Duplex, first: Buffer, count: (bytes: number) => void): void {
  const give = (chunk: Buffer): void => {
    count(chunk.length)
    if (!to.write(chunk)) from.pause()
  }
  if (first.length > 0) give(first)
  from.on('data', give)
  to.on('drain', () => from.resume())
  from.once('end', () => to.end())
  if (to.writableNeedDrain) from.pause()
  else from.resume()
}
