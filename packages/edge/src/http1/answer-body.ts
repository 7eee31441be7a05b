import type { Stream } from '@engawa/shared/mux/events'
import { giveBack, lend } from '@engawa/shared/stream/pool'
import type { BodyReader } from '../forward/upstream.ts'
import { Chunks } from './chunks.ts'
import type { Framing } from './response-head.ts'

const NONE: readonly string[] = []
/** What is held is laid side by side in buffers of this size at most; for little they are smaller. */
const HELD_BYTES = 64 * 1024

interface Held {
  readonly buffer: Uint8Array
  length: number
}

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
  #queue: Held[] | undefined
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
      const held = this.#queue?.shift()
      if (held === undefined) return
      const { buffer, length } = held
      this.#queuedBytes -= length
      this.#stream.consumed(length)
      this.#reader.data(buffer.subarray(0, length))
      giveBack(buffer)
    }
  }

  /** Nobody wants the rest. */
  drop(): void {
    this.#dropped = true
    for (const { buffer } of this.#queue ?? []) giveBack(buffer)
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
    this.#hold(payload)
  }

  #hold(payload: Uint8Array): void {
    this.#queue ??= []
    this.#queuedBytes += payload.length
    for (let from = 0; from < payload.length; ) {
      let last = this.#queue.at(-1)
      if (last === undefined || last.length === last.buffer.length) {
        last = { buffer: lend(Math.min(payload.length - from, HELD_BYTES)), length: 0 }
        this.#queue.push(last)
      }
      const part = payload.subarray(from, from + last.buffer.length - last.length)
      last.buffer.set(part, last.length)
      last.length += part.length
      from += part.length
    }
  }
}
