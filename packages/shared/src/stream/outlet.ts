import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { giveBack, lend } from './pool.ts'

/** What is copied once more, so that a few bytes in a socket never keep a large buffer. */
const LITTLE_BYTES = 4 * 1024
/** A buffer that must wait should be full to this share at least, or what fills it is copied into one of its size. */
const FULL = 0.75
const NOTHING = Buffer.alloc(0)

interface Held {
  readonly buffer: Uint8Array
  /** It is free when so many bytes in all have been taken. */
  readonly until: number
}

/** Those that were written to in this loop turn: one look at all of them, for a carrier brings bytes for many. */
let due: Outlet[] = []

function endTurn(): void {
  const outlets = due
  due = []
  for (const outlet of outlets) outlet.endTurn()
}

/**
 * Writes bytes that are the caller's again at once: what comes in one loop turn goes out as one write.
 *
 * A carrier hands on one TLS record of 16 KiB at a time; so many small writes cost more than copying them together.
 */
export class Outlet {
  /** Given to the socket, and of this what has left it. */
  written = 0
  readonly #socket: Socket
  readonly #onTaken: (bytes: number) => void
  /** TLS never has written anything at once. */
  readonly #isPlain: boolean
  #taken = 0
  /** A turn's first few bytes, until more come. */
  #little: Buffer | undefined
  #batch: Uint8Array | undefined
  #at = 0
  /** What the last turn brought tells how much the next may bring. */
  #lastTurn = 0
  #thisTurn = 0
  #scheduled = false
  readonly #held: Held[] = []
  readonly #settle = (): void => this.#credit()

  /** `onTaken` hears of bytes that the kernel has. */
  constructor(socket: Socket, onTaken: (bytes: number) => void) {
    this.#socket = socket
    this.#isPlain = !(socket instanceof TLSSocket)
    this.#onTaken = onTaken
  }

  write(bytes: Uint8Array): void {
    if (!this.#scheduled) {
      this.#scheduled = true
      if (due.length === 0) setImmediate(endTurn)
      due.push(this)
    }
    this.#thisTurn += bytes.length
    if (bytes.length > 0 && this.#thisTurn < LITTLE_BYTES && this.#thisTurn === bytes.length) {
      this.#little = Buffer.from(bytes)
      return
    }
    const little = this.#little
    this.#little = undefined
    if (little !== undefined) this.#gather(little)
    this.#gather(bytes)
  }

  #gather(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      this.#batch ??= lend(Math.max(bytes.length - from, this.#lastTurn, this.#thisTurn))
      const part = bytes.subarray(from, from + this.#batch.length - this.#at)
      this.#batch.set(part, this.#at)
      this.#at += part.length
      from += part.length
      if (this.#at === this.#batch.length) this.flush()
    }
  }

  /** What was written so far goes to the socket now. */
  flush(): void {
    const little = this.#little
    if (little !== undefined) {
      this.#little = undefined
      this.#put(little)
      return this.#credit()
    }
    const batch = this.#batch
    const length = this.#at
    if (batch === undefined) return
    this.#batch = undefined
    this.#at = 0
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return giveBack(batch)
    const mustWait = socket.writableLength > 0 && length < batch.length * FULL
    if (length < LITTLE_BYTES || mustWait) {
      this.#put(Buffer.from(batch.subarray(0, length)))
      giveBack(batch)
    } else {
      this.#held.push({ buffer: batch, until: this.written + length })
      this.#put(batch.subarray(0, length))
    }
    this.#credit()
  }

  #put(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return
    this.written += bytes.length
    if (!this.#isPlain || socket.writableLength > 0) return void socket.write(bytes, this.#settle)
    // Most often the kernel has it when this returns; a callback would have Node come back to each write.
    socket.write(bytes)
    if (socket.writableLength > 0) socket.write(NOTHING, this.#settle)
  }

  /** The loop turn is over. */
  endTurn(): void {
    this.#scheduled = false
    this.flush()
    this.#lastTurn = this.#thisTurn
    this.#thisTurn = 0
  }

  /** Nothing of it is wanted any more. What the socket has keeps its buffer. */
  drop(): void {
    if (this.#batch !== undefined) giveBack(this.#batch)
    this.#little = undefined
    this.#batch = undefined
    this.#at = 0
  }

  #credit(): void {
    const taken = this.written - this.#socket.writableLength
    // A socket that was destroyed may still have them on its way: its buffers are left to the garbage collector.
    if (taken <= this.#taken || this.#socket.destroyed) return
    const fresh = taken - this.#taken
    this.#taken = taken
    while (this.#held.length > 0 && (this.#held[0] as Held).until <= taken)
      giveBack((this.#held.shift() as Held).buffer)
    this.#onTaken(fresh)
  }
}
