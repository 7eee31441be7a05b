import { wireOf } from '../errors.ts'
import { ACCEPT, CREDIT, DATA, END, GOAWAY, LOST, OPEN, RESET } from '../wire/frame.ts'
import { type Frames, FrameWriter } from '../wire/writer.ts'
import type { CarrierEnd } from './carrier.ts'
import { type Core, signalDue } from './core.ts'
import type { MuxStream } from './stream.ts'

/** The least that a DATA frame is cut to when the cap is nearly reached, bytes. */
const LEAST_FRAME = 4096

/** A last frame may pass the cap by this part of it: if it were cut, all that follow it would be out of step with the reads. */
const PASSING = 4

/**
 * What one carrier may send now, in this order: signs of life, what was lost, credit, datagrams, signals, data under the cap.
 *
 * Spec: protocol.md §6.
 */
export class Outbound {
  readonly #core: Core
  readonly #writer = new FrameWriter()

  constructor(core: Core) {
    this.#core = core
  }

  pull(carrier: CarrierEnd, most: number): Frames {
    const core = this.#core
    const mostBytes = Math.min(most, carrier.pace.pieceBytes)
    const writer = this.#writer
    if (core.over !== undefined) this.#goaway(carrier)
    else {
      this.#life(carrier)
      this.#lost(carrier)
      this.#credit(carrier)
      this.#datagrams(carrier, mostBytes)
      this.#signals(carrier)
      this.#data(carrier, mostBytes)
      if (carrier.ackPending && (writer.size > 0 || carrier.ackIsDue(core.now))) writer.ack(carrier.takeAck())
    }
    carrier.sentBytes += writer.size
    return writer.take()
  }

  /** See `Session.written`. */
  written(): void {
    this.#writer.reuse()
  }

  #goaway(carrier: CarrierEnd): void {
    const { over } = this.#core
    if (carrier.goawaySent || over === undefined || over.byPeer) return
    carrier.goawaySent = true
    const bytes = this.#writer.goaway(wireOf(over.code), over.reason)
    carrier.sent(GOAWAY, undefined, bytes, this.#core.now)
  }

  #life(carrier: CarrierEnd): void {
    const { now } = this.#core
    if (carrier.pongDue !== undefined) {
      this.#writer.pong(carrier.pongDue)
      carrier.pongDue = undefined
    }
    if (carrier.wantsPing(now)) this.#writer.ping(carrier.startPing(now))
  }

  #lost(carrier: CarrierEnd): void {
    const { given, now } = this.#core
    const entries = given.takeUntold(carrier.number)
    if (entries.length > 0) carrier.sent(LOST, undefined, this.#writer.lost(entries), now, given.lastFrame)
  }

  /** protocol.md [S8] */
  #credit(carrier: CarrierEnd): void {
    const core = this.#core
    for (const stream of core.creditDue) {
      // An OPEN that is due will carry the present limit.
      if (stream.openFrame === 'due' || stream.window.finished) {
        core.creditDue.delete(stream)
        continue
      }
      const free = core.side === 'agent' || stream.heard || stream === core.control
      if (stream.pin !== carrier && !free) continue
      core.creditDue.delete(stream)
      carrier.sent(CREDIT, stream, this.#writer.credit(stream.id, stream.window.limit), core.now)
    }
  }

  #datagrams(carrier: CarrierEnd, mostBytes: number): void {
    while (this.#writer.size < mostBytes) {
      const datagram = carrier.nextDatagram()
      if (datagram === undefined) return
      this.#writer.datagram(datagram.flow, datagram.flags, datagram.opening, datagram.bytes)
    }
  }

  #signals(carrier: CarrierEnd): void {
    for (let stream = carrier.nextSignal(); stream !== undefined; stream = carrier.nextSignal()) {
      if (stream.openFrame === 'due' && !this.#open(carrier, stream)) continue
      this.#signal(carrier, stream)
      if (stream.sendable > 0) carrier.queueData(stream, this.#core.now)
    }
  }

  #open(carrier: CarrierEnd, stream: MuxStream): boolean {
    const core = this.#core
    if (stream.buried || (stream.id === 0 && !core.number(stream))) return false
    const bytes = this.#writer.open(stream.id, stream.window.limit, stream.opening)
    stream.openFrame = 'sent'
    carrier.sent(OPEN, stream, bytes, core.now)
    return true
  }

  #signal(carrier: CarrierEnd, stream: MuxStream): void {
    const { now } = this.#core
    if (stream.resetFrame === 'due') {
      stream.resetFrame = 'sent'
      const bytes = this.#writer.reset(stream.id, wireOf(stream.resetCode ?? 'CANCELLED'))
      carrier.sent(RESET, stream, bytes, now)
      return
    }
    if (stream.resetCode !== undefined) return
    if (stream.acceptFrame === 'due') {
      stream.acceptFrame = 'sent'
      carrier.sent(ACCEPT, stream, this.#writer.accept(stream.id), now)
    }
    if (stream.endFrame === 'due' && stream.next === stream.buffer.end) {
      stream.endFrame = 'sent'
      carrier.sent(END, stream, this.#writer.end(stream.id, stream.buffer.end), now)
    }
  }

  #data(carrier: CarrierEnd, mostBytes: number): void {
    const { ledger, pace } = carrier
    pace.attentive = this.#core.isConversing
    while (this.#writer.size < mostBytes && carrier.othersWait) {
      const room = pace.allowed - ledger.inFlight
      if (room <= 0) {
        pace.held()
        return
      }
      const stream = carrier.nextData()
      if (stream === undefined) return
      const most = Math.min(stream.sendable, pace.frameBytes(!carrier.othersWait))
      const whole = stream.buffer.together(stream.next, Math.ceil(most))
      const length = Math.min(
        whole,
        Math.ceil(Math.max(room, Math.min(LEAST_FRAME, pace.pieceBytes), pace.allowed / PASSING)),
      )
      if (length > 0) this.#frame(carrier, stream, length)
    }
  }

  #frame(carrier: CarrierEnd, stream: MuxStream, length: number): void {
    const core = this.#core
    // Behind the data it would be a buffer of its own.
    if (carrier.ackPending) this.#writer.ack(carrier.takeAck())
    const from = stream.next
    const to = from + length
    const { buffer } = stream
    const chunks = buffer.slice(from, length)
    const bytes = this.#writer.data(stream.id, from, length, chunks, chunks.length === 1 ? buffer.headroom(from) : 0)
    carrier.sent(DATA, stream, bytes, core.now, from, to)
    if (from < stream.reached) {
      const again = Math.min(to, stream.reached) - from
      core.resentBytes += again
      carrier.resentBytes += again
    }
    stream.next = to
    stream.reached = Math.max(stream.reached, to)
    const isInteractive = carrier.countBurst(stream, length, core.now) && stream !== core.control
    if (stream.sendable > 0) carrier.queueData(stream, core.now)
    else {
      if (isInteractive && length <= LEAST_FRAME && stream.unsent === 0) core.conversedAt = core.now
      if (signalDue(stream)) this.#signal(carrier, stream)
    }
    stream.offerRoom()
  }
}
