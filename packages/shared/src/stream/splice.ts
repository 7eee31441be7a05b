import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Code } from '../errors.ts'
import type { Stream } from '../mux/events.ts'
import { takeIn } from './intake.ts'
import { Outlet } from './outlet.ts'

export interface SpliceEnd {
  /** Payload bytes in each direction. */
  readonly fromSocket: number
  readonly toSocket: number
  /** Why it broke; undefined when both directions ended in order. */
  readonly code: Code | undefined
}

export interface SpliceOptions {
  /** What the peer is told when the socket breaks: CANCELLED for a visitor's (default), SERVICE_BROKE for a service's. */
  readonly broken?: Code
  readonly onBytes?: (fromSocket: number, toSocket: number) => void
  /** Once, when the socket is gone. */
  readonly onClosed?: (end: SpliceEnd) => void
}

/**
 * Copies between a connected socket and a stream, both ways, until both directions have ended or one side breaks.
 * The one copy loop of the product.
 *
 * The socket must allow half-open: an END is passed on as FIN and the other way round. A stream that is reset ends the
 * socket by RST, so that a cut is never taken for an end; a socket that breaks resets the stream. Bytes that were
 * read ahead are to be unshifted before.
 */
export function splice(socket: Socket, stream: Stream, options: SpliceOptions = {}): void {
  const { broken = 'CANCELLED', onBytes, onClosed } = options
  let fromSocket = 0
  let toSocket = 0
  let code: Code | undefined

  // Credit returns when the socket's write is taken. [W2]
  const outlet = new Outlet(socket, (bytes) => stream.consumed(bytes))
  stream.handler = {
    data(bytes) {
      if (socket.destroyed || socket.writableEnded) return stream.consumed(bytes.length)
      toSocket += bytes.length
      outlet.write(bytes)
      onBytes?.(0, bytes.length)
    },
    end() {
      outlet.flush()
      socket.end()
    },
    reset(why) {
      code ??= why
      outlet.drop()
      breakOff(socket)
    },
    drain() {
      socket.resume()
    },
  }

  socket.setNoDelay(true)
  takeIn(socket, (bytes, release, headroom) => {
    if (stream.closed) return release?.()
    fromSocket += bytes.length
    stream.write(bytes, release, headroom)
    onBytes?.(bytes.length, 0)
    if (stream.room <= 0) socket.pause()
  })
  socket.on('end', () => stream.end())
  socket.on('error', () => {
    code ??= broken
    stream.reset(broken)
  })
  socket.once('close', () => {
    if (!stream.closed && !(socket.readableEnded && socket.writableFinished)) {
      code ??= broken
      stream.reset(broken)
    }
    onClosed?.({ fromSocket, toSocket, code })
  })
  if (socket.destroyed) stream.reset(broken)
  else socket.resume()
}

/** RST where there is TCP to do it. A TLS socket goes without close_notify, which says the same; a Unix socket can only close. */
export function breakOff(socket: Socket): void {
  if (socket.destroyed) return
  const tcp = !(socket instanceof TLSSocket) && socket.remoteFamily !== undefined
  // While its FIN is on the way Node can't reset a socket: it would fail with EINVAL and leak the descriptor. All its bytes are out then.
  const ending = socket.writableEnded && socket.writableLength === 0 && !socket.writableFinished
  if (tcp && !socket.connecting && !ending) socket.resetAndDestroy()
  else socket.destroy()
}
