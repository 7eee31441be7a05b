import type { TLSSocket } from 'node:tls'
import { readInto } from '../stream/onread.ts'

/** What TLS hands on at a time at most. RFC 8446 §5.1 */
const RECORD_BYTES = 16 * 1024
/** Records that are handed on together at most. */
const RUN = 16
/** Free runs that a process keeps. */
const MOST_FREE = 32

/** Memory for records side by side. */
interface Places {
  readonly all: Uint8Array
  readonly each: readonly Uint8Array[]
}

/** Where sockets read that bring little, one after the other: nothing of it is kept. */
let common: Uint8Array | undefined
const free: Places[] = []

/**
 * Reads a TLS socket by as large pieces as come, each the caller's until `take` returns.
 *
 * Node hands on each record of TLS by itself. Full ones come in runs: they are laid side by side, and handed on with the
 * first that is not full, at the latest at the end of the loop turn. False where this Node is made otherwise than we know it.
 */
export function readRecords(socket: TLSSocket, take: (bytes: Uint8Array) => void): boolean {
  common ??= new Uint8Array(RECORD_BYTES)
  const alone = common
  let run: Places | undefined
  /** Records of the run so far, and how many of them were handed on. */
  let next = 0
  let first = 0
  let scheduled = false
  const handOn = (until: number): void => {
    const from = first * RECORD_BYTES
    first = next
    if (run !== undefined && until > from) take(run.all.subarray(from, until))
  }
  const settle = (): void => handOn(next * RECORD_BYTES)
  const turned = (): void => {
    scheduled = false
    settle()
  }
  const isOurs = readInto(socket, alone, (count) => {
    const full = count === RECORD_BYTES
    if (run === undefined) {
      take(alone.subarray(0, count))
      if (!full) return alone
      run = free.pop() ?? makePlaces()
      next = 0
      first = 0
      return run.each[0]
    }
    const end = next * RECORD_BYTES + count
    next++
    if (full && next < RUN) {
      if (!scheduled) setImmediate(turned)
      scheduled = true
      return run.each[next]
    }
    const done = run
    handOn(end)
    next = 0
    first = 0
    if (full) return done.each[0]
    run = undefined
    if (free.length < MOST_FREE) free.push(done)
    return alone
  })
  // Before whoever closes it for its end.
  if (isOurs) socket.prependListener('end', settle)
  return isOurs
}

function makePlaces(): Places {
  const all = new Uint8Array(RUN * RECORD_BYTES)
  const each = Array.from({ length: RUN }, (_, at) => all.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES))
  return { all, each }
}
