import type { Socket } from 'node:net'
import { addressKey } from '@engawa/shared/address-key'
import { breakOff } from '@engawa/shared/stream/splice'

/**
 * Sockets that have not yet said who they are.
 *
 * When there are too many, the oldest of the address that holds the most makes room: a flood from one network
 * evicts itself, not the visitor who comes after it.
 */
export class Unpeeked {
  readonly #most: number
  /** In order of arrival. */
  readonly #byAddress = new Map<string, Set<Socket>>()
  #count = 0

  constructor(most: number) {
    this.#most = most
  }

  get count(): number {
    return this.#count
  }

  add(socket: Socket): void {
    if (this.#count >= this.#most) this.#evict()
    const key = addressKey(socket.remoteAddress)
    const sockets = this.#byAddress.get(key) ?? new Set()
    this.#byAddress.set(key, sockets.add(socket))
    this.#count++
  }

  /** Idempotent. */
  remove(socket: Socket): void {
    for (const [key, sockets] of this.#candidates(socket)) {
      if (!sockets.delete(socket)) continue
      this.#count--
      if (sockets.size === 0) this.#byAddress.delete(key)
      return
    }
  }

  /** A closed socket no longer knows its address: then all are looked through. */
  #candidates(socket: Socket): Iterable<[string, Set<Socket>]> {
    const key = addressKey(socket.remoteAddress)
    const sockets = this.#byAddress.get(key)
    return sockets?.has(socket) === true ? [[key, sockets]] : [...this.#byAddress]
  }

  /** Whoever has not said what it wants by now gets nothing any more. */
  clear(): void {
    for (const socket of [...this.#byAddress.values()].flatMap((sockets) => [...sockets])) {
      this.remove(socket)
      breakOff(socket)
    }
  }

  #evict(): void {
    let fullest: Set<Socket> | undefined
    for (const sockets of this.#byAddress.values()) if (sockets.size > (fullest?.size ?? 0)) fullest = sockets
    const [oldest] = fullest ?? []
    if (oldest === undefined) return
    this.remove(oldest)
    breakOff(oldest)
  }
}
