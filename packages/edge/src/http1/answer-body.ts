import type { Stream } from '@engawa/shared/mux/events'
import type { BodyReader } from '../forward/upstream.ts'
import { Chunks } from './chunks.ts'
import type { Framing } from './response-head.ts'

const NONE: readonly string[] = []

/**
 * The body of a service's answer: finds its end, and holds what comes while its reader has stopped. How much that can
 * be, credit bounds: what is held has not been granted again.
 */
export class AnswerBody {
  /** Nothing comes behind the head. */
  readonly empty: boolean
  /** Its last byte has come. */
  complete: boolean
  /** More came than belongs to it. */
  excess = false
  readonly #framing: Framing
  readonly #stream: Pick<Stream, 'consumed'>
  readonly #chunks: Chunks | undefined
  #queue: Buffer[] | undefined
  #left: number
  #queuedBytes = 0
  #reader: Pick<BodyReader, 'data'> | undefined
  #paused = false
  #dropped = false

  /** `stream` hears of bytes that were taken. */
  constructor(framing: Framing, stream: Pick<Stream, 'consumed'>) {
    this.#framing = framing
    this.#stream = stream
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.#chunks = framing.kind === 'chunked' ? new Chunks() : undefined
    this.empty = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)
    this.complete = this.empty
  }

  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? NONE
  }

  /** All of it has come and was handed on. */
  get done(): boolean {
    return this.complete && this.#queuedBytes === 0
  }

  /** Bytes of the connection, lent. False: they are no body. */
  take(bytes: Uint8Array): boolean {
    const queuedBefore = this.#queuedBytes
    const used = this.complete ? 0 : this.#find(bytes)
    if (used !== undefined && used < bytes.length) this.excess = true
    this.#stream.consumed(bytes.length - (this.#queuedBytes - queuedBefore))
    return used !== undefined
  }

  /** The service has closed. False: its body is not whole. */
  end(): boolean {
    if (this.#framing.kind === 'close') this.complete = true
    return this.complete
  }

  /** From now on, each piece as it comes; lent. */
  read(reader: Pick<BodyReader, 'data'>): void {
    this.#reader = reader
    this.resume()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    while (!this.#paused && this.#reader !== undefined) {
      const chunk = this.#queue?.shift()
      if (chunk === undefined) return
      this.#queuedBytes -= chunk.length
      this.#stream.consumed(chunk.length)
      this.#reader.data(chunk)
    }
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#dropped = true
    this.#queue = undefined
    this.#stream.consumed(this.#queuedBytes)
    this.#queuedBytes = 0
    this.#reader = undefined
  }

  /** How many of the bytes belong to it. */
  #find(bytes: Uint8Array): number | undefined {
    switch (this.#framing.kind) {
      case 'length': {
        const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
        this.#left -= part.length
        this.complete = this.#left === 0
        this.#give(part)
        return part.length
      }
      case 'chunked': {
        const used = this.#chunks?.read(bytes, (payload) => this.#give(payload))
        this.complete = this.#chunks?.done === true
        return used
      }
      default:
        this.#give(bytes)
        return bytes.length
    }
  }

  #give(payload: Uint8Array): void {
    if (payload.length === 0 || this.#dropped) return
    if (this.#reader !== undefined && !this.#paused && this.#queuedBytes === 0) return this.#reader.data(payload)
    const chunk = Buffer.from(payload)
    this.#queue ??= []
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
  }
}
