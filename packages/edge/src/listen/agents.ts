import type { Socket } from 'node:net'
import type { CarrierDoor, Outcome } from '@engawa/shared/carrier/handshake-edge'
import { rowOf } from '@engawa/shared/errors'
import type { Logger } from 'pino'
import { addressKey } from '../guard/address.ts'
import type { EdgeLimits } from '../limits.ts'
import { Pending } from './pending.ts'

/** How often the bytes of pending carriers are looked at, ms. */
const LOOK_MS = 250

/** Takes sockets of agents, from the https port or a port of their own, and sees them through the handshake. */
export class AgentListener {
  readonly #door: CarrierDoor
  readonly #pending: Pending
  readonly #limits: EdgeLimits['carriers']
  readonly #log: Logger
  readonly #sockets = new Set<Socket>()
  #looking: NodeJS.Timeout | undefined
  #closed = false

  constructor({ door, limits, log }: { door: CarrierDoor; limits: EdgeLimits['carriers']; log: Logger }) {
    this.#door = door
    this.#limits = limits
    this.#log = log
    this.#pending = new Pending(limits)
  }

  /** Sockets whose handshake is under way. */
  get pending(): number {
    return this.#pending.size
  }

  /** Bytes that were peeked have been put back. */
  take(socket: Socket): void {
    if (this.#closed) return void socket.destroy()
    const remote = `${socket.remoteAddress}:${socket.remotePort}`
    const leave = this.#pending.add(addressKey(socket.remoteAddress), () => {
      this.#log.debug({ code: 'TOO_MANY_ATTEMPTS', remote }, 'a carrier made room for a newer one')
      socket.destroy()
    })
    this.#watch(socket)
    this.#door.accept(socket, (outcome) => {
      leave()
      this.#unwatch(socket)
      this.#tell(outcome, remote)
    })
  }

  /** Takes nothing new and puts out who has not proved yet who it is. */
  close(): void {
    this.#closed = true
    this.#pending.clear()
  }

  /** A stranger gets no more bytes than a handshake needs; TLS would read them for ever. */
  #watch(socket: Socket): void {
    this.#sockets.add(socket)
    this.#looking ??= setInterval(() => {
      for (const each of this.#sockets) if (each.bytesRead > this.#limits.handshakeBytes) each.destroy()
    }, LOOK_MS).unref()
  }

  #unwatch(socket: Socket): void {
    this.#sockets.delete(socket)
    if (this.#sockets.size > 0) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  #tell(outcome: Outcome, remote: string): void {
    if (outcome.done !== undefined) return
    const { asked, error } = outcome
    // Strangers knock all day: only what an agent has to be told about is worth a line.
    const level = rowOf(error.code).fault === 'edge' ? 'error' : asked === undefined ? 'debug' : 'info'
    this.#log[level](
      { code: error.code, remote, asked, ...(level === 'error' ? { err: error } : {}) },
      'carrier refused',
    )
  }
}
