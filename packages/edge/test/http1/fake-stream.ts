import type { Code } from '@engawa/shared/errors'
import type { Stream, StreamHandler } from '@engawa/shared/mux/events'

/** A stream whose other end is the test. */
export class FakeStream implements Stream {
  readonly id = 1
  readonly opening: Uint8Array = new Uint8Array(0)
  handler: StreamHandler | undefined
  room = 65_536
  received = 0
  sent = 0
  closed = false
  /** What was written, as Latin-1. */
  written = ''
  ended = false
  resetBy: Code | undefined
  /** Bytes whose credit has not been returned. */
  owed = 0
  #peerEnded = false

  write(bytes: Uint8Array, release?: () => void): void {
    if (this.resetBy !== undefined) return
    if (this.closed || this.ended) throw new Error('a write after the end of a stream')
    this.written += Buffer.from(bytes).toString('latin1')
    this.sent += bytes.length
    release?.()
  }
  end(): void {
    this.ended = true
    this.closed = this.#peerEnded
  }
  reset(code: Code): void {
    if (this.closed) return
    this.closed = true
    this.resetBy = code
    this.owed = 0
  }
  consumed(count: number): void {
    if (!this.closed) this.owed -= count
  }
  accept(): void {}

  /** The service says `text`, in pieces of at most `size` bytes, each overwritten when it has been heard. */
  say(text: string, size: number = text.length): void {
    for (let at = 0; at < text.length && !this.closed; at += size) {
      const bytes = new Uint8Array(Buffer.from(text.slice(at, at + size), 'latin1'))
      this.received += bytes.length
      this.owed += bytes.length
      this.handler?.data(bytes)
      bytes.fill(0x2a)
    }
  }
  /** The service says no more. */
  finish(): void {
    if (this.closed) return
    this.#peerEnded = true
    this.closed = this.ended
    this.handler?.end()
  }
  lose(code: Code): void {
    this.closed = true
    this.handler?.reset(code)
  }
}
