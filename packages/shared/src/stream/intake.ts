import type { Socket } from 'node:net'
import { readInto } from './onread.ts'
import { giveBack, lend } from './pool.ts'

/** Takes bytes that it may keep until it calls `release`; they are nobody else's until then. */
export type Keep = (bytes: Uint8Array, release?: () => void) => void

/** A read of this size shows that there is much to come: the socket gets a buffer of its own. */
const MUCH_BYTES = 32 * 1024
const BULK_BYTES = 256 * 1024
/** Reads below this are copied: they may have to be kept, and would keep the whole buffer. */
const COPY_BYTES = 64 * 1024
/** After so many small reads in a row a socket has no buffer of its own any more. */
const SMALL_READS = 16

/** All sockets that bring little read into this one, one after the other, and what they bring is copied out at once. */
let common: Uint8Array | undefined

/** Hands on what a socket reads, from now on, by as few and as large pieces as it comes. What was read before comes first. */
export function takeIn(socket: Socket, keep: Keep): void {
  for (let early = socket.read() as Buffer | null; early !== null; early = socket.read() as Buffer | null) keep(early)
  common ??= new Uint8Array(COPY_BYTES)
  let smallReads = 0
  const shared = common
  readInto(socket, shared, (count, buffer) => {
    if (buffer !== shared && count >= COPY_BYTES) {
      smallReads = 0
      keep(buffer.subarray(0, count), () => giveBack(buffer))
      return lend(BULK_BYTES)
    }
    keep(Buffer.from(buffer.subarray(0, count)))
    if (buffer === shared) return count >= MUCH_BYTES ? lend(BULK_BYTES) : undefined
    smallReads++
    if (smallReads < SMALL_READS) return undefined
    giveBack(buffer)
    smallReads = 0
    return shared
  })
  // Where there is no other way, and for what was unshifted meanwhile.
  socket.on('data', (bytes: Buffer) => keep(bytes))
}
