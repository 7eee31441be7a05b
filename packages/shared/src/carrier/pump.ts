import { type Code, codeOf, EngawaError, rowOf } from '../errors.ts'
import type { SessionEvent, Stream } from '../mux/events.ts'
import type { Session } from '../mux/session.ts'
import type { Carrier } from './carrier.ts'
import { type Clock, REAL_CLOCK } from './clock.ts'

/** What the owner of a session is told, in order. Streams tell their own handlers. */
export interface PumpHandler {
  /** Agent: set `stream.handler` before returning. */
  opened(stream: Stream): void
  /** May throw an EngawaError of scope 'session' (MESSAGE_INVALID, MESSAGE_FLOOD): that ends the session with its code. */
  message(json: string): void
  /** Edge: the agent has reached the service of a stream, or the stream is gone with this code. */
  tried?(stream: Stream, code: Code | undefined): void
  /** `opening` and `bytes` are lent until it returns. */
  datagram(flow: number, opening: Uint8Array | undefined, bytes: Uint8Array): void
  flowClosed(flow: number): void
  /** `left`: how many carriers remain. */
  carrierLost(carrier: number, left: number, why: 'closed' | 'silent' | 'peer'): void
  carrierSuspect(carrier: number): void
  carrierTrusted(carrier: number): void
  /** The last carrier is gone; `pump.paused` until `resumed`. */
  away(): void
  resumed(awayMs: number, streams: number): void
  /** Last. The carriers are closing. */
  closed(code: Code, reason: string, byPeer: boolean): void
  /** A handler threw: a fault of ours, to be logged. Its stream, where there is one, has been reset. */
  failed(error: unknown, stream: Stream | undefined): void
}

/** What may wait in one carrier's socket: enough to keep the kernel busy, the rest queues in the session's scheduler. */
const BACKLOG_BYTES = 512 * 1024
/** One binary message is full from here on: a whole read is one, with its headers, and nothing is put behind it. */
const MESSAGE_BYTES = 192 * 1024
/** What is due and waits for room in a socket is looked at again after this, ms: the socket tells when it has some. */
const HELD_MS = 10
/** setTimeout takes no more. */
const MAX_DELAY_MS = 2 ** 31 - 1

/**
 * Moves a session's bytes: carriers ↔ session ↔ clock, and its events to their handlers.
 *
 * What is written in a loop turn goes out at its end, together: that is what makes small frames cheap. A handler that
 * throws costs its own stream, never the session.
 */
export class Pump {
  readonly session: Session
  readonly #handler: PumpHandler
  readonly #clock: Clock
  readonly #carriers = new Map<number, Carrier>()
  #flushSoon = false
  #dispatching = false
  #timer: unknown
  #timerAt = Number.POSITIVE_INFINITY

  constructor(session: Session, handler: PumpHandler, clock: Clock = REAL_CLOCK) {
    this.session = session
    this.#handler = handler
    this.#clock = clock
    session.onWork = () => this.#schedule()
    this.#arm(clock.now())
  }

  /** No carrier: time stands still for the streams. */
  get paused(): boolean {
    return this.#carriers.size === 0
  }

  carrier(number: number): Carrier | undefined {
    return this.#carriers.get(number)
  }

  /** After the handshake: what the peer reported lost has been applied to the session before. */
  attach(number: number, carrier: Carrier): void {
    if (!this.session.addCarrier(number, this.#clock.now())) {
      carrier.destroy()
      return
    }
    this.#carriers.set(number, carrier)
    carrier.onDrained = () => this.flush()
    carrier.onClosed = () => this.#change(number, carrier, (now) => this.session.carrierClosed(number, now))
    carrier.onBytes = (bytes) => this.#change(number, carrier, (now) => this.session.receive(number, bytes, now))
    this.#dispatch()
    this.#schedule()
  }

  /** Sends what may go now; it is called by itself at the end of each loop turn in which there was something new. */
  flush(): void {
    const now = this.#clock.now()
    this.#contained(() => {
      if (this.#isWritten()) this.session.written()
      for (const [number, carrier] of this.#carriers) this.#fill(number, carrier, now)
    })
    this.#dispatch()
    this.#arm(now)
  }

  /** GOAWAY, then the carriers close; streams are reset on both sides. `closed` is called before it returns. */
  end(code: Code, reason?: string): void {
    this.session.end(code, reason)
    this.#dispatch()
  }

  /** Something came in: its events now, the answers at the end of the turn. */
  #change(number: number, carrier: Carrier, work: (now: number) => void): void {
    if (this.#carriers.get(number) !== carrier) return
    this.#contained(() => work(this.#clock.now()))
    this.#dispatch()
    this.#schedule()
  }

  /** A carrier that is gone holds nothing: it was destroyed. */
  #isWritten(): boolean {
    for (const { backlogBytes } of this.#carriers.values()) if (backlogBytes > 0) return false
    return true
  }

  #fill(number: number, carrier: Carrier, now: number): void {
    while (carrier.backlogBytes < BACKLOG_BYTES) {
      const isPiece = this.session.isSlow(number)
      // Else TLS would make one record of what waits.
      if (isPiece && carrier.backlogBytes > 0) return
      const { buffers, headroom, bytes } = this.session.pull(number, now, MESSAGE_BYTES)
      if (buffers.length === 0) return
      carrier.send(buffers, headroom, isPiece)
      // What was less than might have been was all.
      if (bytes < MESSAGE_BYTES && !isPiece) return
    }
  }

  /** A bug in the core costs its session, not the process. */
  #contained(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#handler.failed(error, undefined)
      this.session.end('SESSION_CLOSED', 'an internal fault')
    }
  }

  #schedule(): void {
    if (this.#flushSoon) return
    this.#flushSoon = true
    this.#clock.soon(() => {
      this.#flushSoon = false
      this.flush()
    })
  }

  /** At `now` all went out that could. A timer that is early only looks again; so a deadline that moves back costs nothing. */
  #arm(now: number): void {
    const deadline = this.session.deadline()
    if (this.#timer !== undefined && this.#timerAt <= deadline) return
    this.#disarm()
    if (deadline === Number.POSITIVE_INFINITY) return
    this.#timerAt = deadline
    const leftMs = deadline <= now ? HELD_MS : Math.ceil(deadline - this.#clock.now())
    const delayMs = Math.min(MAX_DELAY_MS, Math.max(1, leftMs))
    // The tick comes after a look at the sockets: in a process that was stopped, silence is judged after reading.
    this.#timer = this.#clock.setTimer(() => this.#clock.soon(() => this.#tick()), delayMs)
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
  }

  #tick(): void {
    this.#disarm()
    this.#contained(() => this.session.tick(this.#clock.now()))
    this.flush()
  }

  /** Handlers may call anything of ours meanwhile: what that brings up is handled by the outer run, in order. */
  #dispatch(): void {
    if (this.#dispatching) return
    this.#dispatching = true
    try {
      for (let events = this.session.takeEvents(); events.length > 0; events = this.session.takeEvents()) {
        for (const event of events) this.#guarded(event)
      }
    } finally {
      this.#dispatching = false
    }
  }

  #guarded(event: SessionEvent): void {
    try {
      this.#tell(event)
    } catch (error) {
      const code = codeOf(error)
      if (event.type === 'message' && rowOf(code).scope === 'session') {
        this.session.end(code, error instanceof EngawaError ? error.message : '')
      } else this.#abandon(error, 'stream' in event ? event.stream : undefined)
    }
  }

  /** The stream's owner hears `reset`, so that it lets go of its socket. */
  #abandon(error: unknown, stream: Stream | undefined): void {
    try {
      if (stream !== undefined && !stream.closed) {
        stream.reset('STREAM_ABORTED')
        stream.handler?.reset('STREAM_ABORTED')
      }
    } finally {
      this.#handler.failed(error, stream)
    }
  }

  #tell(event: SessionEvent): void {
    switch (event.type) {
      case 'opened':
        this.#handler.opened(event.stream)
        break
      case 'accepted':
        this.#handler.tried?.(event.stream, undefined)
        event.stream.handler?.accepted?.()
        break
      case 'data':
        event.stream.handler?.data(event.bytes)
        break
      case 'ended':
        event.stream.handler?.end()
        break
      case 'reset':
        this.#handler.tried?.(event.stream, event.code)
        event.stream.handler?.reset(event.code)
        break
      case 'drain':
        event.stream.handler?.drain()
        break
      case 'message':
        this.#handler.message(Buffer.from(event.bytes).toString())
        break
      case 'datagram':
        this.#handler.datagram(event.flow, event.opening, event.bytes)
        break
      case 'flowClosed':
        this.#handler.flowClosed(event.flow)
        break
      case 'carrierSuspect':
        this.#handler.carrierSuspect(event.carrier)
        break
      case 'carrierTrusted':
        this.#handler.carrierTrusted(event.carrier)
        break
      case 'carrierLost':
        this.#drop(event.carrier)
        this.#handler.carrierLost(event.carrier, this.#carriers.size, event.why)
        break
      case 'away':
        this.#handler.away()
        break
      case 'resumed':
        this.#handler.resumed(event.awayMs, event.streams)
        break
      case 'closed':
        this.#finish()
        this.#handler.closed(event.code, event.reason, event.byPeer)
        break
    }
  }

  #drop(number: number): void {
    const carrier = this.#carriers.get(number)
    this.#carriers.delete(number)
    carrier?.destroy()
  }

  /** What is left to send is a GOAWAY. */
  #finish(): void {
    this.#disarm()
    const carriers = [...this.#carriers]
    this.#carriers.clear()
    for (const [number, carrier] of carriers) {
      const { buffers } = this.session.pull(number, this.#clock.now(), MESSAGE_BYTES)
      if (buffers.length > 0) carrier.send(buffers)
      carrier.close()
    }
  }
}
