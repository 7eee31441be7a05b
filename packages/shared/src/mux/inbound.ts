import { codeOfWire, EngawaError } from '../errors.ts'
import type { FrameSink } from '../wire/frame.ts'
import { MAX_OPEN_SPAN } from '../wire/limits.ts'
import type { CarrierEnd } from './carrier.ts'
import type { Core } from './core.ts'
import { MessageReader } from './messages.ts'
import { MuxStream } from './stream.ts'
import { ReceiveWindow } from './window.ts'

/** Takes the frames of one carrier into the session: repeats are filtered first, then the state table rules. Spec: protocol.md §4. */
export class Inbound implements FrameSink {
  readonly #core: Core
  readonly #carrier: CarrierEnd
  readonly #messages: MessageReader

  constructor(core: Core, carrier: CarrierEnd, messages: MessageReader) {
    this.#core = core
    this.#carrier = carrier
    this.#messages = messages
  }

  open(id: number, credit: number, opening: Uint8Array): void {
    const core = this.#core
    if (core.over !== undefined) return
    if (core.side === 'edge') throw new EngawaError('PROTOCOL_VIOLATION', 'an agent never opens')
    const verdict = core.seen.add(id)
    if (verdict === 'far') throw new EngawaError('PROTOCOL_VIOLATION', `an OPEN too far ahead (${id})`)
    if (verdict === 'repeat') {
      // It carries the present limit, which its own CREDIT may have been lost with.
      if (core.streams.has(id)) this.credit(id, credit)
      else core.framesDropped++
      return
    }
    // Each refusal is kept until it is acknowledged: who opens on and on and reads nothing is cut off.
    if (core.streams.size >= core.maxStreams + MAX_OPEN_SPAN) {
      throw new EngawaError('BUFFER_EXCEEDED', 'too many streams beyond what was agreed')
    }
    const full = core.live >= core.maxStreams
    const window = new ReceiveWindow(core.pool, core.firstCredit)
    const stream = new MuxStream(core, id, new Uint8Array(opening), credit, window, false)
    stream.pin = this.#carrier
    this.#carrier.pins++
    stream.heard = true
    core.streams.set(id, stream)
    if (full) stream.reset('SESSION_FULL')
    else core.emit({ type: 'opened', stream })
  }

  accept(id: number): void {
    const stream = this.#core.find(id)
    if (stream === undefined || stream.accepted) return
    if (this.#core.side === 'agent') throw new EngawaError('PROTOCOL_VIOLATION', 'an edge never accepts')
    stream.accepted = true
    if (stream.resetCode === undefined) this.#core.emit({ type: 'accepted', stream })
  }

  data(id: number, offset: number, bytes: Uint8Array): void {
    const core = this.#core
    const stream = core.find(id)
    if (stream === undefined || core.over !== undefined) return
    if (stream.resetCode !== undefined) {
      core.framesDropped++
      return
    }
    const { window } = stream
    const end = offset + bytes.length
    if (offset > window.received) throw new EngawaError('PROTOCOL_VIOLATION', `a gap in stream ${id}`)
    if (stream.final !== undefined && end > stream.final) {
      throw new EngawaError('PROTOCOL_VIOLATION', `bytes past the end of stream ${id}`)
    }
    if (end <= window.received) return
    if (end > window.limit) throw new EngawaError('CREDIT_EXCEEDED', `bytes past the credit of stream ${id}`)
    const fresh = bytes.subarray(window.received - offset)
    window.arrived(fresh.length, core.now)
    if (id !== 0) core.emit({ type: 'data', stream, bytes: fresh })
    else this.#message(fresh)
    this.#finish(stream)
  }

  end(id: number, final: number): void {
    const stream = this.#core.find(id)
    if (stream === undefined || stream.resetCode !== undefined) return
    if (stream.final === final) return
    if (stream.final !== undefined || final < stream.window.received) {
      throw new EngawaError('PROTOCOL_VIOLATION', `another end of stream ${id}`)
    }
    stream.final = final
    this.#finish(stream)
  }

  reset(id: number, code: number): void {
    const core = this.#core
    const stream = core.find(id)
    if (stream === undefined) return
    const known = stream.resetCode !== undefined
    if (!known) {
      stream.die(codeOfWire(code))
      core.emit({ type: 'reset', stream, code: codeOfWire(code) })
    }
    core.bury(stream)
    core.openingsMoved()
  }

  credit(id: number, limit: number): void {
    const stream = this.#core.find(id)
    if (stream === undefined || limit <= stream.limit) return
    stream.limit = limit
    if (stream.sendable > 0) this.#core.place(stream)
  }

  ack(received: number): void {
    const { ledger, pace } = this.#carrier
    const before = ledger.acked
    this.#core.acknowledge(this.#carrier, received)
    if (ledger.acked === before) return
    if (pace.acknowledged(ledger.sent, ledger.acked, this.#core.now, this.#core.carriers.size)) {
      this.#core.roomMade(this.#carrier)
    }
  }

  datagram(flow: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): void {
    if (this.#core.over === undefined) this.#core.flows.received(flow, flags, opening, bytes)
  }

  ping(token: number): void {
    this.#carrier.pongDue = token
  }

  pong(token: number): void {
    this.#carrier.pong(token, this.#core.now)
  }

  goaway(code: number, reason: string): void {
    this.#core.end(codeOfWire(code), reason, true)
  }

  lost(entries: readonly (readonly [carrier: number, received: number])[]): void {
    if (entries.some(([number]) => number === this.#carrier.number)) {
      throw new EngawaError('PROTOCOL_VIOLATION', 'a carrier that declares itself lost')
    }
    this.#core.applyLost(entries)
  }

  #message(bytes: Uint8Array): void {
    const core = this.#core
    this.#messages.feed(bytes, (message) => core.emit({ type: 'message', bytes: message }))
    core.control.consumed(bytes.length)
  }

  #finish(stream: MuxStream): void {
    if (stream.final !== stream.window.received || stream.state === 'peerEnded' || stream.state === 'closed') return
    stream.signal('peerEnd')
    stream.window.finish()
    this.#core.creditDue.delete(stream)
    this.#core.emit({ type: 'ended', stream })
    this.#core.settle(stream)
  }
}
