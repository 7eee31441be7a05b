import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { readInto } from '../stream/onread.ts'

/** What TLS hands on at a time at most. RFC 8446 §5.1 */
const RECORD_BYTES = 16 * 1024
/** One read of the kernel, and what is handed on at most. */
const READ_BYTES = 256 * 1024

type Opened = TLSSocket & {
  /** The socket that it was made over, if any. */
  readonly _parent?: unknown
  readonly _handle?: { receive?: (bytes: Uint8Array) => void }
}

/** Common to all sockets, one after the other: nothing is in there between two reads. */
interface Common {
  /** As it came from the kernel. */
  readonly closed: Uint8Array
  readonly opened: Uint8Array
  /** Of `opened`, one place for each record. */
  readonly places: readonly Uint8Array[]
}

let common: Common | undefined

/**
 * Reads a TLS socket that was made over another by as large pieces as come, each the caller's until `take` returns.
 *
 * Left to itself Node reads 16 KiB at a time, or less, and hands on each record of TLS by itself. So we read the socket
 * below, into a buffer of ours, give TLS that, and lay side by side what it brings. False where this Node is made
 * otherwise than we know it, or there is no socket below.
 */
export function readRecords(socket: TLSSocket, take: (bytes: Uint8Array) => void): boolean {
  const { _parent: below, _handle: tls } = socket as Opened
  if (!(below instanceof Socket) || typeof tls?.receive !== 'function') return false
  common ??= makeCommon()
  const { closed, opened, places } = common
  /** The next record's place, and the first one that was not handed on. */
  let next = 0
  let first = 0
  let reading = false
  const handOn = (until: number): void => {
    const from = first * RECORD_BYTES
    first = next
    if (until > from) take(opened.subarray(from, until))
  }
  const isOurs = readInto(socket, places[0] as Uint8Array, (count) => {
    const end = next * RECORD_BYTES + count
    next = (next + 1) % places.length
    if (!reading || count < RECORD_BYTES || next === 0) handOn(end)
    return places[next]
  })
  if (!isOurs) return false
  const isBelowOurs = readInto(below, closed, (count) => {
    reading = true
    tls.receive?.(closed.subarray(0, count))
    reading = false
    handOn(next * RECORD_BYTES)
    return undefined
  })
  if (!isBelowOurs) return true
  below.on('error', (error) => socket.destroy(error))
  below.on('end', () => socket.destroy())
  return true
}

function makeCommon(): Common {
  const opened = new Uint8Array(READ_BYTES)
  const places: Uint8Array[] = []
  for (let at = 0; at < READ_BYTES; at += RECORD_BYTES) places.push(opened.subarray(at, at + RECORD_BYTES))
  return { closed: new Uint8Array(READ_BYTES), opened, places }
}
