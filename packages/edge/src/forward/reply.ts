import type { Code } from '@engawa/shared/errors'
import { answerFields, trailerFields } from './headers.ts'
import type { KnownFields } from './known.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'
import type { BodyReader, ServiceAnswer } from './upstream.ts'

export interface ReplySettings {
  /** The edge's, for which no service may set cookies. */
  readonly domain: string
  readonly interimResponses: number
  /** `Strict-Transport-Security`, for a service that says nothing of it itself. */
  readonly strictTransport?: string | undefined
  readonly known: KnownFields
}

/** Told of a reply. */
export interface ReplyEvents {
  sent(bytes: number): void
  /** The service's answer can't be passed on, or broke off. */
  failed(code: Code, cause?: unknown): void
}

/** The way back of one request: the service's interim answers, head, body and trailers, as its visitor gets them. */
export class Reply implements BodyReader {
  readonly #request: VisitorRequest
  readonly #response: VisitorResponse
  readonly #settings: ReplySettings
  readonly #events: ReplyEvents
  #interim = 0
  #continued = false
  #begun = false
  #answer: ServiceAnswer | undefined

  constructor(
    { request, response }: { request: VisitorRequest; response: VisitorResponse },
    settings: ReplySettings,
    events: ReplyEvents,
  ) {
    this.#request = request
    this.#response = response
    this.#settings = settings
    this.#events = events
  }

  /** The visitor was told to send its body. */
  get continued(): boolean {
    return this.#continued
  }

  /** Passes an interim answer on. */
  inform(status: number, raw: readonly string[]): void {
    if (++this.#interim > this.#settings.interimResponses) return this.#events.failed('SERVICE_BROKE')
    if (status === 100) this.#continued = true
    const response = this.#response
    // RFC 9110 §15.2: nothing 1xx for an HTTP/1.0 visitor.
    if (response.headersSent || response.destroyed || this.#request.httpVersion === '1.0') return
    try {
      if (status === 100) return response.writeContinue()
      const fields = answerFields(raw, { status, domain: this.#settings.domain, trailers: false })
      response.writeInformation(status, recordOf(fields))
    } catch (error) {
      this.#events.failed('SERVICE_BROKE', error)
    }
  }

  /** Passes the answer on, as fast as the visitor takes it. False, after `failed`: it can't be. */
  pass(answer: ServiceAnswer): boolean {
    const response = this.#response
    try {
      response.writeHead(answer.status, answer.message, this.#fieldsOf(answer), answer.ended)
    } catch (error) {
      answer.destroy()
      this.#events.failed('SERVICE_BROKE', error)
      return false
    }
    if (answer.ended) {
      response.end()
      return true
    }
    this.#answer = answer
    answer.read(this)
    if (response.follow !== undefined) return true
    // Usually the first of the body follows at once and goes in one write with the head; events may be far apart.
    setImmediate(() => {
      if (!this.#begun && !response.writableEnded && !response.destroyed) response.flushHeaders()
    })
    return true
  }

  /** The visitor takes more. */
  drained(): void {
    this.#answer?.resume()
  }

  /** Of the body. */
  data(chunk: Uint8Array): void {
    const response = this.#response
    const answer = this.#answer
    this.#begun = true
    this.#events.sent(chunk.length)
    const mayLend = response.copies === true || answer?.lends !== true
    if (!response.write(mayLend ? chunk : Buffer.from(chunk))) answer?.pause()
  }

  end(): void {
    const response = this.#response
    const trailers = this.#answer?.rawTrailers ?? []
    if (trailers.length > 0 && response.chunkedEncoding) response.addTrailers(trailerFields(trailers))
    response.end()
  }

  failed(error: Error): void {
    this.#events.failed('SERVICE_BROKE', error)
  }

  #fieldsOf({ status, rawHeaders: raw, mayHaveTrailers }: ServiceAnswer): string[] {
    const { httpVersion, headers, complete } = this.#request
    const { domain, strictTransport, known } = this.#settings
    const trailers = httpVersion !== '1.0' && mayHaveTrailers
    const fields = known.answer({ raw, status, domain, trailers, strictTransport })
    // The visitor may hold its body back for good: what it sends next can't be told from it.
    const mayHold = !complete && !this.#continued && headers.expect !== undefined
    return mayHold ? [...fields, 'Connection', 'close'] : fields
  }
}

function recordOf(fields: readonly string[]): Record<string, string[]> {
  // Without a prototype: a service names them.
  const record: Record<string, string[]> = Object.create(null)
  for (let at = 0; at + 1 < fields.length; at += 2) (record[fields[at] ?? ''] ??= []).push(fields[at + 1] ?? '')
  return record
}
