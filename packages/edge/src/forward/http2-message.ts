import type { IncomingHttpHeaders } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { headersOf } from './headers.ts'
import { type Http2Fields, type Http2Head, OF_CONNECTION } from './http2-head.ts'
import type { ResponseEvents, VisitorRequest, VisitorResponse } from './message.ts'

/** What a visitor asks on a stream of HTTP/2. */
export class Http2Request implements VisitorRequest {
  readonly httpVersion = '2.0'
  readonly method: string
  readonly url: string
  readonly fields: Http2Fields
  rawTrailers: string[] = []
  complete: boolean
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, { method, url, fields }: Http2Head) {
    this.#stream = stream
    this.method = method
    this.url = url
    this.fields = fields
    this.complete = stream.endAfterHeaders
    if (this.complete) return
    stream.once('trailers', (_: unknown, __: unknown, raw?: string[]) => {
      this.rawTrailers = (raw ?? []).map(String)
    })
    // A reset ends the readable side, too: only END_STREAM makes a body whole.
    stream.once('end', () => {
      this.complete = !stream.closed && !stream.aborted
    })
  }

  get rawHeaders(): string[] {
    return this.fields.raw
  }
  get headers(): IncomingHttpHeaders {
    const { fields } = this
    fields.headers ??= headersOf(fields.raw)
    return fields.headers
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

/** The heads of a connection's answers. The next one is often the same. */
export class Http2AnswerHeads {
  #made: { readonly fields: readonly string[]; readonly names: readonly string[]; readonly length: boolean } | undefined

  /** `fields` as HTTP/2 has them, and whether they say how long the body is. */
  of(fields: readonly string[]): { readonly names: readonly string[]; readonly length: boolean } {
    if (this.#made?.fields === fields) return this.#made
    const names: string[] = []
    let length = false
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const name = (fields[at] ?? '').toLowerCase()
      if (OF_CONNECTION.has(name)) continue
      length ||= name === 'content-length'
      names.push(name, fields[at + 1] ?? '')
    }
    this.#made = { fields, names, length }
    return this.#made
  }
}

/** The answer on a stream of HTTP/2. */
export class Http2Response implements VisitorResponse {
  statusCode = 0
  chunkedEncoding = false
  readonly #stream: ServerHttp2Stream
  readonly #head: boolean
  readonly #heads: Http2AnswerHeads
  #events: ResponseEvents | undefined
  /** Without a prototype: a service names them. */
  readonly #trailers: Record<string, string[]> = Object.create(null)
  /** It did not take all, and will say when. */
  #full = false

  /** `head`: the request is a HEAD; `heads`: of its connection. */
  constructor(stream: ServerHttp2Stream, { head, heads }: { head: boolean; heads: Http2AnswerHeads }) {
    this.#stream = stream
    this.#head = head
    this.#heads = heads
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
    const { names, length } = this.#heads.of(fields)
    this.statusCode = status
    this.chunkedEncoding = !without && !length
    this.#stream.respond([':status', String(status), ...names], {
      endStream: without,
      waitForTrailers: this.chunkedEncoding,
    })
    if (this.chunkedEncoding) this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(this.#trailers))
  }

  write(chunk: Uint8Array): boolean {
    if (this.#stream.write(chunk)) return true
    if (!this.#full) {
      this.#full = true
      this.#stream.once('drain', () => {
        this.#full = false
        this.#events?.drained()
      })
    }
    return false
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

  on(event: 'drain', listener: () => void): this {
    this.#stream.on(event, listener)
    return this
  }
  once(event: 'close' | 'finish', listener: () => void): this {
    this.#stream.once(event, listener)
    return this
  }
  follow(events: ResponseEvents): void {
    this.#events = events
    this.#stream.once('finish', () => events.finished()).once('close', () => events.closed())
  }
}
