import { EventEmitter } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Code } from '@engawa/shared/errors'
import type { Stream, StreamHandler } from '@engawa/shared/mux/events'
import { breakOff } from '@engawa/shared/stream/splice'
import type { RequestSummary } from '@engawa/shared/wire/control'
import { encodeOpening, type Opening } from '@engawa/shared/wire/opening'
import type { Flow, FlowHandler, Link } from '../../src/tunnel/tunnel.ts'

const WINDOW = 128 * 1024

/** A stream that leads straight to a local service: what session, carrier and agent do, without them. */
class DirectStream implements Stream {
  readonly id = 1
  readonly opening: Uint8Array
  handler: StreamHandler | undefined
  received = 0
  sent = 0
  closed = false
  /** Set when the edge reset it. */
  resetBy: Code | undefined
  readonly socket: Socket
  #unconsumed = 0
  #ends = 0
  #wantsDrain = false
  readonly #changed: (what: string) => void

  constructor(opening: Opening, port: number, changed: (what: string) => void) {
    this.opening = encodeOpening(opening)
    this.#changed = changed
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    this.socket.on('connect', () => this.handler?.accepted?.())
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.length
      this.#unconsumed += bytes.length
      if (this.#unconsumed >= WINDOW) this.socket.pause()
      this.handler?.data(bytes)
    })
    this.socket.on('end', () => {
      this.handler?.end()
      this.#ended()
    })
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.closed) return
      this.closed = true
      this.handler?.reset(error.code === 'ECONNREFUSED' ? 'SERVICE_REFUSED' : 'SERVICE_BROKE')
    })
  }

  get room(): number {
    return 64 * 1024 - this.socket.writableLength
  }

  write(bytes: Uint8Array, release?: () => void): void {
    this.sent += bytes.length
    this.socket.write(bytes, () => {
      release?.()
      if (this.#wantsDrain && this.room > 0) {
        this.#wantsDrain = false
        this.handler?.drain()
      }
    })
    if (this.room <= 0) this.#wantsDrain = true
  }

  end(): void {
    this.socket.end()
    this.#ended()
  }

  reset(code: Code): void {
    if (this.closed) return
    this.closed = true
    this.resetBy = code
    breakOff(this.socket)
    this.#changed('reset')
  }

  /** As if the session had lost it. */
  lose(code: Code): void {
    this.closed = true
    breakOff(this.socket)
    this.handler?.reset(code)
  }

  consumed(count: number): void {
    this.#unconsumed -= count
    if (this.#unconsumed < WINDOW) this.socket.resume()
  }

  accept(): void {}

  #ended(): void {
    if (++this.#ends === 2) this.closed = true
  }
}

/** A flow whose datagrams a test reads and answers. Emits `datagram`, `closed`. */
export class FakeFlow extends EventEmitter implements Flow {
  readonly opening: Opening
  readonly handler: FlowHandler
  readonly sent: string[] = []
  closed = false
  room = true

  constructor(opening: Opening, handler: FlowHandler) {
    super()
    this.opening = opening
    this.handler = handler
  }

  send(bytes: Uint8Array): boolean {
    if (!this.room) return false
    this.sent.push(Buffer.from(bytes).toString())
    this.emit('datagram')
    return true
  }

  close(): void {
    this.closed = true
    this.emit('closed')
  }
}

/** One agent's session with a service on `port`. Emits `opened`, `reset`, `summary`. */
export class FakeLink extends EventEmitter implements Link {
  readonly agent = 'home'
  readonly session = 'session'
  paused = false
  readonly streams: DirectStream[] = []
  readonly openings: Opening[] = []
  readonly flows: FakeFlow[] = []
  readonly summaries: RequestSummary[] = []
  #port: number

  constructor(port: number) {
    super()
    this.#port = port
  }

  lead(port: number): void {
    this.#port = port
  }

  onPause(listener: (paused: boolean) => void): () => void {
    this.on('pause', listener)
    return () => this.off('pause', listener)
  }

  pause(paused: boolean): void {
    this.paused = paused
    this.emit('pause', paused)
  }

  open(opening: Opening): DirectStream {
    const stream = new DirectStream(opening, this.#port, (what) => this.emit(what, stream))
    this.streams.push(stream)
    this.openings.push(opening)
    this.emit('opened', stream)
    return stream
  }

  openFlow(opening: Opening, handler: FlowHandler): FakeFlow {
    const flow = new FakeFlow(opening, handler)
    this.flows.push(flow)
    this.emit('flow', flow)
    return flow
  }

  summarize(summary: RequestSummary): void {
    this.summaries.push(summary)
    this.emit('summary', summary)
  }
}
