import type { Socket } from 'node:net'
import { HEADROOM } from '../wire/limits.ts'
import { readInto } from './onread.ts'
import { giveBack, lend } from './pool.ts'

/** Takes bytes that it may keep until it calls `release`; they are nobody else's until then, nor `headroom` bytes before them. */
export type Keep = (bytes: Uint8Array, release?: () => void, headroom?: number) => void

/** A read of this size shows that there is much to come: the socket gets a buffer of its own. */
const MUCH_BYTES = 32 * 1024
const BULK_BYTES = 256 * 1024
/** Reads below this are copied: they may have to be kept, and would keep the whole buffer. */
const COPY_BYTES = 64 * 1024
/** Below this a copy is the garbage collector's, and goes into a batch of small frames. */
const LITTLE_BYTES = 4 * 1024
/** After so many small reads in a row a socket has no buffer of its own any more. */
const SMALL_READS = 16
/** Sockets with a buffer of their own at a time: a thousand whose visitors have stopped reading must not have one each. */
const MOST_OWNERS = 64

/** All sockets that bring little read into this one, one after the other, and what they bring is copied out at once. */
let common: Uint8Array | undefined
let owners = 0

/** Hands on what a socket reads, from now on, by as few and as large pieces as it comes. What was read before comes first. */
export function takeIn(socket: Socket, keep: Keep): void {
  for (let early = socket.read() as Buffer | null; early !== null; early = socket.read() as Buffer | null) keep(early)
  common ??= new Uint8Array(COPY_BYTES)
  const shared = common
  let own: Uint8Array | undefined
  let smallReads = 0
  const disown = (): void => {
    if (own === undefined) return
    owners--
    giveBack(own)
    own = undefined
  }
  readInto(socket, shared, (count, buffer) => {
    if (own !== undefined && count >= COPY_BYTES) {
      smallReads = 0
      const full = own
      own = lend(BULK_BYTES)
      keep(buffer.subarray(0, count), () => giveBack(full), HEADROOM)
      return own.subarray(HEADROOM)
    }
    keepCopy(buffer.subarray(0, count), keep)
    if (own === undefined) {
      if (count < MUCH_BYTES || owners === MOST_OWNERS) return undefined
      owners++
      own = lend(BULK_BYTES)
      return own.subarray(HEADROOM)
    }
    smallReads++
    if (smallReads < SMALL_READS) return undefined
    disown()
    smallReads = 0
    return shared
  })
  socket.once('close', disown)
  // Where there is no other way, and for what was unshifted meanwhile.
  socket.on('data', (bytes: Buffer) => keep(bytes))
}

function keepCopy(bytes: Uint8Array, keep: Keep): void {
  if (bytes.length <= LITTLE_BYTES) return keep(Buffer.from(bytes))
  const buffer = lend(HEADROOM + bytes.length)
  buffer.set(bytes, HEADROOM)
  keep(buffer.subarray(HEADROOM, HEADROOM + bytes.length), () => giveBack(buffer), HEADROOM)
}
