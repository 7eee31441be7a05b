import type { Socket } from 'node:net'
import { addressKey } from '@engawa/shared/address-key'
import type { CarrierDoor, Outcome } from '@engawa/shared/carrier/handshake-edge'
import { rowOf } from '@engawa/shared/errors'
import type { Millis } from '@engawa/shared/mux/events'
import type { Logger } from 'pino'
import type { EdgeLimits } from '../limits.ts'
import { Pending } from './pending.ts'

/** How often the bytes of pending carriers are looked at, ms. */
const LOOK_MS = 250

export interface AgentListenerOptions {
  readonly door: CarrierDoor
  readonly limits: EdgeLimits['carriers']
  readonly log: Logger
  /** Who comes before this has resolved waits, counted like everyone whose handshake is under way. */
  readonly ready?: Promise<void>
}

/** Takes sockets of agents, from the https port or a port of their own, and sees them through the handshake. */
export class AgentListener {
  readonly #door: CarrierDoor
  readonly #pending: Pending
  readonly #limits: EdgeLimits['carriers']
  readonly #log: Logger
  readonly #ready: Promise<void>
  readonly #sockets = new Set<Socket>()
  #looking: NodeJS.Timeout | undefined
  #closed = false

  constructor({ door, limits, log, ready = Promise.resolve() }: AgentListenerOptions) {
    this.#door = door
    this.#limits = limits
    this.#log = log
    this.#ready = ready
    this.#pending = new Pending(limits)
  }

  /** Sockets whose handshake is under way. */
  get pending(): number {
    return this.#pending.size
  }

  /** Bytes that were peeked have been put back. `since`: when it connected. */
  take(socket: Socket, since: Millis = performance.now()): void {
    if (this.#closed) return void socket.destroy()
    // Until the door looks after it: who is reset while the edge starts must not take it along.
    socket.on('error', () => {})
    const remote = `${socket.remoteAddress}:${socket.remotePort}`
    const leave = this.#pending.add(addressKey(socket.remoteAddress), () => {
      this.#log.debug({ code: 'TOO_MANY_ATTEMPTS', remote }, 'a carrier made room for a newer one')
      socket.destroy()
    })
    const gone = (): void => {
      leave()
      this.#unwatch(socket)
    }
    this.#watch(socket)
    socket.once('close', gone)
    const enter = (): void => {
      if (socket.destroyed) return
      const finished = (outcome: Outcome): void => {
        socket.off('close', gone)
        gone()
        this.#tell(outcome, remote)
      }
      this.#door.accept(socket, finished, performance.now() - since)
    }
    void this.#ready.then(enter)
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
