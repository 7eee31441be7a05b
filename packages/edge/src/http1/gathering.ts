import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { giveBack, lend } from '@engawa/shared/stream/pool'

/** What is put together at most; more goes out at once. */
const BYTES = 32 * 1024
/** Larger pieces are not put together with others. */
const LARGE_BYTES = 16 * 1024
/** Copies up to this are the garbage collector's: more of them would have V8 collect everything again and again. */
const LITTLE_BYTES = 4 * 1024
const NOTHING = Buffer.alloc(0)

/** Told when the kernel has all that was put together. */
export interface Awaiting {
  written(error?: Error | null): void
}

/** Where pieces are put together, for one socket at a time. */
let memory: Buffer | undefined
let user: Gathering | undefined

/**
 * Small pieces that are to leave a socket in one write. They are copied at once; the memory is used for the next answer
 * as soon as the kernel has this one, and left to a socket that has not taken all of it.
 */
export class Gathering {
  readonly #socket: Socket
  /** TLS holds what it was given for a while. */
  readonly #isPlain: boolean
  #bytes = 0

  constructor(socket: Socket) {
    this.#socket = socket
    this.#isPlain = !(socket instanceof TLSSocket)
  }

  /** Strings are Latin-1. */
  put(part: string | Uint8Array): void {
    if (part.length > LARGE_BYTES) {
      this.flush()
      this.#later(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
      return
    }
    if (this.#bytes + part.length > BYTES) this.flush()
    giveTo(this)
    memory ??= Buffer.allocUnsafeSlow(BYTES)
    if (typeof part === 'string') memory.write(part, this.#bytes, 'latin1')
    else memory.set(part, this.#bytes)
    this.#bytes += part.length
  }

  /** What is there goes out. True: the kernel has it by now, and `awaiting` is not told. */
  flush(awaiting?: Awaiting): boolean {
    const bytes = this.#bytes
    const socket = this.#socket
    this.#bytes = 0
    if (user === this) user = undefined
    if (socket.destroyed) return false
    if (bytes === 0 || memory === undefined) return awaiting !== undefined && this.#later(NOTHING, awaiting)
    const gathered = memory.subarray(0, bytes)
    if (!this.#isPlain || socket.writableLength > 0) return this.#later(gathered, awaiting)
    // Node would come back to each write with a callback: who needs none is cheaper.
    socket.write(gathered)
    if (socket.writableLength === 0 && socket.errored === null) return true
    memory = undefined
    return awaiting !== undefined && this.#later(NOTHING, awaiting)
  }

  /** A copy goes out. */
  #later(bytes: Uint8Array, awaiting?: Awaiting): false {
    const socket = this.#socket
    if (bytes.length <= LITTLE_BYTES) {
      socket.write(Buffer.from(bytes), awaiting && ((error) => awaiting.written(error)))
      return false
    }
    for (let from = 0; from < bytes.length; ) {
      const buffer = lend(bytes.length - from)
      const part = bytes.subarray(from, from + buffer.length)
      from += part.length
      const isLast = from === bytes.length
      buffer.set(part)
      socket.write(buffer.subarray(0, part.length), (error) => {
        // A socket that broke may still have it on its way: it is left to the garbage collector.
        if (error === null || error === undefined) giveBack(buffer)
        if (isLast) awaiting?.written(error)
      })
    }
    return false
  }
}

/** Whoever had the memory before writes what it has put there. */
function giveTo(next: Gathering): void {
  if (user === next) return
  user?.flush()
  user = next
}
