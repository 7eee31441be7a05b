import { Chunks } from './chunks.ts'
import type { Framing } from './response-head.ts'

/**
 * The body of a service's answer: finds its end, and holds what comes while its reader has stopped. How much that can
 * be, credit bounds: what is held has not been granted again.
 */
export class AnswerBody {
  /** Its last byte has come. */
  complete: boolean
  /** More came than belongs to it. */
  excess = false
  readonly #framing: Framing
  readonly #credit: (count: number) => void
  readonly #chunks: Chunks | undefined
  readonly #queue: Buffer[] = []
  #left: number
  #queuedBytes = 0
  #data: ((chunk: Buffer) => void) | undefined
  #paused = false
  #dropped = false

  /** `credit` hears of bytes that were taken. */
  constructor(framing: Framing, credit: (count: number) => void) {
    this.#framing = framing
    this.#credit = credit
    this.#left = framing.kind === 'length' ? framing.bytes : 0
    this.#chunks = framing.kind === 'chunked' ? new Chunks() : undefined
    this.complete = framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)
  }

  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? []
  }

  /** All of it has come and was handed on. */
  get done(): boolean {
    return this.complete && this.#queue.length === 0
  }

  /** Bytes of the connection, lent. False: they are no body. */
  take(bytes: Uint8Array): boolean {
    const queuedBefore = this.#queuedBytes
    const used = this.complete ? 0 : this.#find(bytes)
    if (used !== undefined && used < bytes.length) this.excess = true
    this.#credit(bytes.length - (this.#queuedBytes - queuedBefore))
    return used !== undefined
  }

  /** The service has closed. False: its body is not whole. */
  end(): boolean {
    if (this.#framing.kind === 'close') this.complete = true
    return this.complete
  }

  /** From now on, each piece as it comes; a piece is the reader's. */
  read(data: (chunk: Buffer) => void): void {
    this.#data = data
    this.resume()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    while (!this.#paused && this.#data !== undefined) {
      const chunk = this.#queue.shift()
      if (chunk === undefined) return
      this.#queuedBytes -= chunk.length
      this.#credit(chunk.length)
      this.#data(chunk)
    }
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#dropped = true
    this.#queue.length = 0
    this.#credit(this.#queuedBytes)
    this.#queuedBytes = 0
    this.#data = undefined
  }

  /** How many of the bytes belong to it. */
  #find(bytes: Uint8Array): number | undefined {
    switch (this.#framing.kind) {
      case 'length': {
        const part = bytes.subarray(0, this.#left)
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
    const chunk = Buffer.from(payload)
    if (this.#data !== undefined && !this.#paused && this.#queue.length === 0) return this.#data(chunk)
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
  }
}
