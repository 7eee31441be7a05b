import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { headersOf } from './headers.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'

/** A stream of HTTP/2 with its head read as one of HTTP/1.1. RFC 9113 §8.3, §8.2.3 */
export interface Http2Head {
  readonly method: string
  readonly url: string
  readonly rawHeaders: string[]
  /** It asks for a WebSocket; this is the Sec-WebSocket-Key for a service over HTTP/1.1. RFC 8441 §4 */
  readonly webSocketKey: string | undefined
}

/** Fields that do not exist in HTTP/2. RFC 9113 §8.2.2 */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/**
 * The head as HTTP/1.1 would have it; undefined when two readers could take it differently. nghttp2 has refused before
 * what RFC 9113 §8.2 forbids: capitals, controls, fields of the connection, pseudo-fields that are unknown, doubled or late.
 */
export function readHead(
  raw: readonly string[],
  options: { bodiless: boolean; scheme: string },
): Http2Head | undefined {
  const pseudo = new Map<string, string>()
  const fields: string[] = []
  const cookies: string[] = []
  // Over HTTP/1.1 only a chunked body has trailers; nghttp2 holds the frames to the length.
  const trailers = !options.bodiless && raw.includes('trailer')
  let hosts = 0
  let host: string | undefined
  let length = false
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    const value = raw[at + 1] ?? ''
    if (name.startsWith(':')) {
      if (fields.length > 0 || cookies.length > 0 || hosts > 0 || pseudo.has(name)) return undefined
      pseudo.set(name, value)
    } else if (OF_CONNECTION.has(name) || name !== name.toLowerCase()) return undefined
    else if (name === 'host') {
      hosts++
      host = value
    } else if (name === 'cookie') cookies.push(value)
    else if (!(trailers && name === 'content-length')) {
      length ||= name === 'content-length'
      fields.push(name, value)
    }
  }
  const authority = pseudo.get(':authority') ?? host
  const method = pseudo.get(':method')
  const url = pseudo.get(':path')
  if (method === undefined || url === undefined || authority === undefined) return undefined
  // §8.3.1: a Host that differs from :authority would let two readers route differently.
  if (hosts > 1 || (host !== undefined && host.toLowerCase() !== authority.toLowerCase())) return undefined
  if (pseudo.get(':scheme') !== options.scheme) return undefined
  for (const name of pseudo.keys())
    if (![':method', ':path', ':scheme', ':authority', ':protocol'].includes(name)) return undefined
  const protocol = pseudo.get(':protocol')
  if (protocol !== undefined) {
    // An Upgrade has neither body nor key over HTTP/2, where the stream itself is switched.
    if (method !== 'CONNECT' || protocol !== 'websocket' || options.bodiless || length) return undefined
    const key = randomBytes(16).toString('base64')
    const asked = fields.filter((_, at) => fields[at - (at % 2)] !== 'sec-websocket-key')
    if (cookies.length > 0) asked.push('cookie', cookies.join('; '))
    return {
      method: 'GET',
      url,
      rawHeaders: ['Host', authority, ...asked, 'Sec-WebSocket-Key', key],
      webSocketKey: key,
    }
  }
  // §8.2.3: one field, as an HTTP/1.1 service expects it.
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '))
  if (!options.bodiless && !length) fields.push('transfer-encoding', 'chunked')
  return { method, url, rawHeaders: ['Host', authority, ...fields], webSocketKey: undefined }
}

/** What a visitor asks on a stream of HTTP/2. */
export class Http2Request implements VisitorRequest {
  readonly httpVersion = '2.0'
  readonly method: string
  readonly url: string
  readonly rawHeaders: string[]
  readonly headers: IncomingHttpHeaders
  rawTrailers: string[] = []
  complete = false
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, { method, url, rawHeaders }: Http2Head) {
    this.#stream = stream
    this.method = method
    this.url = url
    this.rawHeaders = rawHeaders
    this.headers = headersOf(rawHeaders)
    stream.once('trailers', (_: unknown, __: unknown, raw?: string[]) => {
      this.rawTrailers = (raw ?? []).map(String)
    })
    // A reset ends the readable side, too: only END_STREAM makes a body whole.
    stream.once('end', () => {
      this.complete = !stream.closed && !stream.aborted
    })
  }

  on(event: 'data', listener: (chunk: Buffer) => void): this {
    this.#stream.on(event, listener)
    return this
  }
  once(event: 'end' | 'close', listener: () => void): this {
    this.#stream.once(event, () => {
      if (event === 'close' || this.complete) listener()
    })
    return this
  }
  removeAllListeners(event: 'data'): this {
    this.#stream.removeAllListeners(event)
    return this
  }
  pause(): void {
    this.#stream.pause()
  }
  resume(): void {
    this.#stream.resume()
  }
  isPaused(): boolean {
    return this.#stream.isPaused()
  }
}

/** The answer on a stream of HTTP/2. */
export class Http2Response extends EventEmitter implements VisitorResponse {
  statusCode = 0
  chunkedEncoding = false
  readonly #stream: ServerHttp2Stream
  readonly #head: boolean
  #trailers: Record<string, string[]> = {}

  /** `head`: the request is a HEAD. */
  constructor(stream: ServerHttp2Stream, { head }: { head: boolean }) {
    super()
    this.#stream = stream
    this.#head = head
    for (const event of ['close', 'finish', 'drain'] as const) stream.on(event, () => this.emit(event))
    stream.on('wantTrailers', () => stream.sendTrailers(this.#trailers))
  }

  get headersSent(): boolean {
    return this.#stream.headersSent
  }
  get destroyed(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }
  get writableEnded(): boolean {
    return this.#stream.writableEnded
  }
  get writableFinished(): boolean {
    // A reset by the visitor finishes it, too.
    return this.#stream.writableFinished && !this.#stream.aborted
  }

  writeHead(status: number, _: string | undefined, fields: readonly string[], ended = false): void {
    const without = ended || this.#head || status === 204 || status === 304
    const sent: string[] = [':status', String(status)]
    let length = false
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const name = (fields[at] ?? '').toLowerCase()
      if (OF_CONNECTION.has(name)) continue
      length ||= name === 'content-length'
      sent.push(name, fields[at + 1] ?? '')
    }
    this.statusCode = status
    this.chunkedEncoding = !without && !length
    this.#stream.respond(sent, { endStream: without, waitForTrailers: this.chunkedEncoding })
  }

  write(chunk: Buffer): boolean {
    return this.#stream.write(chunk)
  }
  end(body?: string): void {
    if (body === undefined) this.#stream.end()
    else this.#stream.end(body)
  }
  addTrailers(fields: [string, string][]): void {
    for (const [name, value] of fields) (this.#trailers[name.toLowerCase()] ??= []).push(value)
  }
  writeContinue(): void {
    this.#stream.additionalHeaders({ ':status': constants.HTTP_STATUS_CONTINUE })
  }
  writeInformation(status: number, fields: Record<string, string[]>): void {
    const lower = Object.entries(fields).filter(([name]) => !OF_CONNECTION.has(name.toLowerCase()))
    this.#stream.additionalHeaders({ ':status': status, ...Object.fromEntries(lower) })
  }
  /** `respond` has sent them. */
  flushHeaders(): void {}
}
