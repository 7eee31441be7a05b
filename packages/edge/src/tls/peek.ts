import type { Socket } from 'node:net'
import { breakOff } from '@engawa/shared/stream/splice'
import { type ClientHello, HelloReader } from './client-hello.ts'

/** What becomes of a peeked socket; exactly one of `hello`, `invalid` or its death. */
export interface Peeker {
  /** Called first in every case: it is no unpeeked socket any more. */
  left(): void
  /** The socket is as it came: every byte unshifted, nothing flowing, no listener of ours. */
  hello(hello: ClientHello): void
  /** `first`: the first byte it sent. */
  invalid(first: number): void
}

/** Reads the ClientHello off a socket and puts it back. A socket that has not sent it whole after `deadlineMs` is reset. */
export function peek(socket: Socket, deadlineMs: number, peeker: Peeker): void {
  const reader = new HelloReader()
  const chunks: Buffer[] = []
  const timer = setTimeout(() => breakOff(socket), deadlineMs)
  const closed = (): void => leave()
  const failed = (): void => void socket.destroy()
  // Nobody says goodbye before it has said who it is.
  const ended = (): void => void socket.destroy()
  const read = (chunk: Buffer): void => {
    chunks.push(chunk)
    const hello = reader.push(chunk)
    if (hello === 'more') return
    leave()
    socket.pause()
    if (hello === 'invalid') return peeker.invalid(chunks[0]?.[0] ?? 0)
    socket.unshift(chunks.length === 1 ? chunk : Buffer.concat(chunks))
    peeker.hello(hello)
  }
  const leave = (): void => {
    clearTimeout(timer)
    socket.off('data', read)
    socket.off('end', ended)
    socket.off('error', failed)
    socket.off('close', closed)
    peeker.left()
  }
  socket.on('data', read)
  socket.on('end', ended)
  socket.on('error', failed)
  socket.on('close', closed)
  // Whoever looked at it before has paused it.
  socket.resume()
}
