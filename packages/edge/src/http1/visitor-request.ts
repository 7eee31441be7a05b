import type { IncomingHttpHeaders } from 'node:http'
import { headersOf } from '../forward/headers.ts'
import type { VisitorRequest } from '../forward/message.ts'
import type { RequestFields, RequestHead } from './request-head.ts'

/** What carries a body here; to stop it is all that a reader can do. */
export interface BodySource {
  pause(): unknown
  resume(): unknown
}

const NONE: string[] = []

/** A visitor's request that a strict reader took: a head, and a body of known length. */
export class CountedRequest implements VisitorRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion = '1.1'
  readonly rawHeaders: string[]
  readonly rawTrailers: string[] = NONE
  readonly #fields: RequestFields
  readonly #source: BodySource
  #left: number
  #queue: Buffer[] | undefined
  #data: ((chunk: Buffer) => void) | undefined
  #onEnd: (() => void)[] | undefined
  #onClose: (() => void)[] | undefined
  /** waiting: for its first reader · flowing · paused. */
  #flow: 'waiting' | 'flowing' | 'paused' = 'waiting'
  #scheduled = false

  constructor({ method, url, fields }: RequestHead, source: BodySource) {
    this.method = method
    this.url = url
    this.rawHeaders = fields.raw
    this.#fields = fields
    this.#left = fields.length
    this.#source = source
  }

  get headers(): IncomingHttpHeaders {
    const fields = this.#fields
    fields.headers ??= headersOf(fields.raw)
    return fields.headers
  }

  get complete(): boolean {
    return this.#left === 0
  }

  /** Takes what belongs to the body of bytes that have come, lent; how many these are. What nobody reads yet waits, and stops the source. */
  take(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.#left)
    this.#left -= part.length
    if (part.length > 0) (this.#queue ??= []).push(Buffer.from(part))
    if (this.#flow === 'flowing') this.#deliver()
    else this.#source.pause()
    return part.length
  }

  /** Nothing more of it will come. */
  closed(): void {
    const listeners = this.#onClose
    this.#onClose = undefined
    if (listeners !== undefined) for (const listener of listeners) listener()
  }

  on(_event: 'data', listener: (chunk: Buffer) => void): this {
    this.#data = listener
    this.resume()
    return this
  }
  once(event: 'end' | 'close', listener: () => void): this {
    if (event === 'end') (this.#onEnd ??= []).push(listener)
    else (this.#onClose ??= []).push(listener)
    return this
  }
  removeAllListeners(_event: 'data'): this {
    this.#data = undefined
    return this
  }
  pause(): void {
    this.#flow = 'paused'
    this.#source.pause()
  }
  resume(): void {
    this.#flow = 'flowing'
    if (this.#scheduled) return
    this.#scheduled = true
    // Whoever listens may not yet have said to what.
    queueMicrotask(() => {
      this.#scheduled = false
      if (this.#flow !== 'flowing') return
      this.#source.resume()
      this.#deliver()
    })
  }
  isPaused(): boolean {
    return this.#flow === 'paused'
  }

  #deliver(): void {
    while (this.#flow === 'flowing') {
      const chunk = this.#queue?.shift()
      if (chunk === undefined) break
      this.#data?.(chunk)
    }
    if (this.#left > 0 || (this.#queue?.length ?? 0) > 0) return
    const listeners = this.#onEnd
    this.#onEnd = undefined
    if (listeners !== undefined) for (const listener of listeners) listener()
    this.closed()
  }
}
