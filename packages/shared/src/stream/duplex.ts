import { Duplex } from 'node:stream'
import { type Code, EngawaError, rowOf } from '../errors.ts'
import type { Stream } from '../mux/events.ts'

/** Writes up to this are joined into one: a frame's header costs more than the copy. */
const JOIN_BYTES = 8 * 1024
/** How long a peer may leave its direction open after ours has ended and nobody reads any more. */
const LINGER_MS = 60_000

/**
 * A stream as a Node Duplex, for APIs that want one (`http.request`, TLS towards a service). It takes `stream.handler`.
 *
 * Emits 'accepted' when the agent has reached the service. Fails with an EngawaError of the code that reset it.
 * Buffers that are written must not be changed afterwards: they are kept until the peer has them.
 * `onBytes` hears of each payload.
 */
export function toDuplex(stream: Stream, onBytes?: (fromPeer: number, toPeer: number) => void): StreamDuplex {
  return new StreamDuplex(stream, onBytes)
}

export class StreamDuplex extends Duplex {
  readonly stream: Stream
  #pushed = 0
  #credited = 0
  #peerEnded = false
  #blocked: (() => void) | undefined
  readonly #onBytes: ((fromPeer: number, toPeer: number) => void) | undefined

  constructor(stream: Stream, onBytes?: (fromPeer: number, toPeer: number) => void) {
    super({ allowHalfOpen: true })
    this.stream = stream
    this.#onBytes = onBytes
    stream.handler = {
      data: (bytes) => this.#take(bytes),
      end: () => {
        this.#peerEnded = true
        this.push(null)
      },
      reset: (code) => this.destroy(new EngawaError(code)),
      drain: () => {
        const goOn = this.#blocked
        this.#blocked = undefined
        goOn?.()
      },
      accepted: () => this.emit('accepted'),
    }
  }

  /** What `http.Agent` asks of a socket. Idle time is judged by who owns the request: it stands still without a carrier. */
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  /** As of a socket: the end goes out, then it closes. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  override _read(): void {
    // Everything that arrives is pushed at once: credit bounds it.
  }

  /** Credit returns here and after a push that a flowing reader took directly: `_read` is called too early for it. [W2] */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    this.#credit()
    return chunk
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.stream.write(chunk)
    this.#onBytes?.(0, chunk.length)
    this.#pace(done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const buffers = chunks.map(({ chunk }) => chunk)
    const total = buffers.reduce((sum, { length }) => sum + length, 0)
    if (total <= JOIN_BYTES) this.stream.write(Buffer.concat(buffers, total))
    else for (const buffer of buffers) if (buffer.length > 0) this.stream.write(buffer)
    this.#onBytes?.(0, total)
    this.#pace(done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.stream.end()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#blocked = undefined
    this.#giveBack()
    if (!this.stream.closed) {
      // Like a closed socket: what was written still arrives, with its end. [S6] would drop it.
      if (error === null && this.writableFinished) this.#linger()
      else this.stream.reset(streamCode(error))
    }
    done(error)
  }

  #take(bytes: Uint8Array): void {
    this.#onBytes?.(bytes.length, 0)
    this.#pushed += bytes.length
    this.push(Buffer.from(bytes))
    this.#credit()
  }

  #credit(): void {
    this.#return(this.#pushed - this.readableLength)
  }

  #giveBack(): void {
    this.#return(this.#pushed)
  }

  #return(upTo: number): void {
    const taken = upTo - this.#credited
    if (taken <= 0) return
    this.#credited = upTo
    this.stream.consumed(taken)
  }

  #pace(done: () => void): void {
    if (this.stream.room > 0) done()
    else this.#blocked = done
  }

  /** Nobody reads any more: an END of the peer closes the stream, more bytes are answered by RESET, as TCP does. */
  #linger(): void {
    if (this.#peerEnded) return
    const { stream } = this
    const timer = setTimeout(() => stream.reset('CANCELLED'), LINGER_MS)
    timer.unref()
    const over = (): void => clearTimeout(timer)
    stream.handler = {
      data: (bytes) => {
        over()
        stream.consumed(bytes.length)
        stream.reset('CANCELLED')
      },
      end: over,
      reset: over,
      drain: () => undefined,
    }
  }
}

function streamCode(error: Error | null): Code {
  return error instanceof EngawaError && rowOf(error.code).scope === 'stream' ? error.code : 'CANCELLED'
}
