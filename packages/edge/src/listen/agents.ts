import type { Socket } from 'node:net'
import { addressKey } from '@engawa/shared/address-key'
import type { CarrierDoor, Outcome } from '@engawa/shared/carrier/handshake-edge'
import { rowOf } from '@engawa/shared/errors'
import type { Millis } from '@engawa/shared/mux/events'
import type { Logger } from 'pino'
import { ALONE, type Peers } from '../generation/peers.ts'
import type { EdgeLimits } from '../limits.ts'
import { peek } from '../tls/peek.ts'
import { Pending } from './pending.ts'

/** How often pending carriers are looked at, ms: who is silent, and who sends too much. */
const LOOK_MS = 250

export interface AgentListenerOptions {
  readonly door: CarrierDoor
  readonly limits: EdgeLimits['carriers']
  readonly log: Logger
  /** Who comes before this has resolved waits, counted like everyone whose handshake is under way. */
  readonly ready?: Promise<void>
  readonly others?: Pick<Peers, 'several' | 'passOn'>
}

/** Takes sockets of agents, from the https port or a port of their own, and sees them through the handshake. */
export class AgentListener {
  readonly #door: CarrierDoor
  readonly #pending: Pending
  readonly #limits: EdgeLimits['carriers']
  readonly #log: Logger
  readonly #others: Pick<Peers, 'several' | 'passOn'>
  readonly #sockets = new Set<Socket>()
  #looking: NodeJS.Timeout | undefined
  #closed = false

  constructor({ door, limits, log, ready = Promise.resolve(), others = ALONE }: AgentListenerOptions) {
    this.#door = door
    this.#limits = limits
    this.#log = log
    this.#others = others
    this.#pending = new Pending(limits, () => performance.now())
    void ready.then(() => this.#closed || this.#pending.open())
  }

  /** Sockets whose handshake is under way or waits. */
  get pending(): number {
    return this.#pending.size
  }

  /**
   * Bytes that were peeked have been put back. `since`: when it connected. `serverName`: SNI, where it is known.
   * A carrier of another generation goes there.
   */
  take(socket: Socket, since: Millis = performance.now(), serverName?: string): void {
    if (serverName !== undefined && this.#others.passOn(socket, serverName, since)) return
    if (this.#closed) return void socket.destroy()
    // Until the door looks after it: who is reset while it waits must not take the edge along.
    socket.on('error', () => {})
    const remote = `${socket.remoteAddress}:${socket.remotePort}`
    const gone = (): void => {
      leave()
      this.#unwatch(socket)
    }
    const finished = (outcome: Outcome): void => {
      socket.off('close', gone)
      gone()
      this.#tell(outcome, remote)
    }
    this.#watch(socket)
    socket.once('close', gone)
    const leave = this.#pending.add({
      address: addressKey(socket.remoteAddress),
      received: () => socket.bytesRead,
      begin: () => {
        if (socket.destroyed) return
        const enter = (): void => void this.#door.accept(socket, finished, performance.now() - since)
        if (serverName !== undefined || !this.#others.several) enter()
        else this.#sort(socket, since, { enter, passed: () => socket.off('close', gone) && gone() })
      },
      evict: () => {
        this.#log.debug({ code: 'TOO_MANY_ATTEMPTS', remote }, 'a carrier made room for another')
        socket.destroy()
      },
    })
  }

  /** On a port of their own nobody has asked yet which generation the agent means. */
  #sort(socket: Socket, since: Millis, { enter, passed }: { enter: () => void; passed: () => unknown }): void {
    peek(socket, Math.max(1, this.#limits.handshakeMs - (performance.now() - since)), {
      left: () => {},
      invalid: () => void socket.destroy(),
      hello: (hello) => {
        if (this.#others.passOn(socket, hello.serverName ?? '', since)) passed()
        else enter()
      },
    })
  }

  /** Takes nothing new and puts out who has not proved yet who it is. */
  close(): void {
    this.#closed = true
    this.#pending.clear()
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket)
    // Behind the sockets: in an edge that was busy, silence is judged after reading.
    this.#looking ??= setInterval(() => setImmediate(() => this.#look()), LOOK_MS).unref()
  }

  #look(): void {
    this.#pending.look()
    // A stranger gets no more bytes than a handshake needs; TLS would read them for ever.
    for (const each of this.#sockets) if (each.bytesRead > this.#limits.handshakeBytes) each.destroy()
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
