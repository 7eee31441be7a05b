import type { Socket } from 'node:net'
import { type Endpoint, endpoint } from '@engawa/shared/wire/opening'

/**
 * The near ends of our own connections to services. A visitor who comes from one of them is this agent: the target is the
 * tunnel's own public port, and without a word each visit would become another one, until the session is full.
 */
export class Outgoing {
  readonly #ends: Set<string> = new Set()
  /** Not connected yet: where from is known a moment later. */
  readonly #young: Set<Socket> = new Set()

  /** Knows the socket until it is closed. */
  add(socket: Socket): void {
    let end: string | undefined
    this.#young.add(socket)
    socket.once('connect', () => {
      this.#young.delete(socket)
      end = keyOf(endpoint(socket.localAddress, socket.localPort))
      this.#ends.add(end)
    })
    socket.once('close', () => {
      this.#young.delete(socket)
      if (end !== undefined) this.#ends.delete(end)
    })
  }

  /** The same for datagrams; the answer ends it. */
  addEnd(address: string, port: number): () => void {
    const end = keyOf(endpoint(address, port))
    this.#ends.add(end)
    return () => void this.#ends.delete(end)
  }

  has(visitor: Endpoint): boolean {
    if (visitor.family === 0 || visitor.port === 0) return false
    const wanted = keyOf(visitor)
    if (this.#ends.has(wanted)) return true
    for (const { localAddress, localPort } of this.#young) {
      if (keyOf(endpoint(localAddress, localPort)) === wanted) return true
    }
    return false
  }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}
