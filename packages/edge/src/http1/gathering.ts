import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** What is put together at most; more goes out at once. */
const BYTES = 32 * 1024
/** Larger pieces are not put together with others. */
const LARGE_BYTES = 16 * 1024
const NOTHING = Buffer.alloc(0)

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
      this.#socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))
      return
    }
    if (this.#bytes + part.length > BYTES) this.flush()
    giveTo(this)
    memory ??= Buffer.allocUnsafeSlow(BYTES)
    if (typeof part === 'string') memory.write(part, this.#bytes, 'latin1')
    else memory.set(part, this.#bytes)
    this.#bytes += part.length
  }

  /** What is there goes out. `written`: once the kernel has all. */
  flush(written?: (error?: Error | null) => void): void {
    const bytes = this.#bytes
    const socket = this.#socket
    this.#bytes = 0
    if (user === this) user = undefined
    if (socket.destroyed || (bytes === 0 && written === undefined)) return
    if (bytes === 0 || memory === undefined) return void socket.write(NOTHING, written)
    const gathered = memory.subarray(0, bytes)
    if (!this.#isPlain || socket.writableLength > 0) return void socket.write(Buffer.from(gathered), written)
    socket.write(gathered, written)
    if (socket.writableLength > 0) memory = undefined
  }
}

/** Whoever had the memory before writes what it has put there. */
function giveTo(next: Gathering): void {
  if (user === next) return
  user?.flush()
  user = next
}
