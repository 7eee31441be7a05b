import { type Code, EngawaError } from '../errors.ts'
import type { CarrierEnd } from './carrier.ts'
import type { SessionEvent, Stream, StreamHandler } from './events.ts'
import { SendBuffer } from './sendbuffer.ts'
import { NEXT, type Signal, type State } from './state.ts'
import type { ReceiveWindow } from './window.ts'

/** Room that is worth telling a writer of who waits, bytes. */
const WORTHWHILE_ROOM = 8 * 1024

/** What a stream asks of its session. */
export interface StreamOwner {
  /** There is something to send: a signal (OPEN, ACCEPT, END, RESET), data, or credit. */
  wake(stream: MuxStream): void
  credit(stream: MuxStream, consumed: number): void
  /** What a stream may keep unsent before its writer should wait, bytes. */
  readonly highWater: number
  /** Bytes kept for sending changed. */
  keep(delta: number): void
  emit(event: SessionEvent): void
}

/** Sending state of one signal: wanted, on its way, or known to have arrived. */
export type Sending = 'none' | 'due' | 'sent' | 'acked'

/** One stream at one end. The session moves its frames; this keeps what must survive a carrier. Spec: protocol.md §4. */
export class MuxStream implements Stream {
  id: number
  readonly opening: Uint8Array
  handler: StreamHandler | undefined
  state: State = 'open'
  resetCode: Code | undefined
  /** The peer's RESET came, or ours was acknowledged: nothing of it needs sending again. */
  buried = false

  openFrame: Sending
  acceptFrame: Sending = 'none'
  endFrame: Sending = 'none'
  resetFrame: Sending = 'none'
  creditDue = false

  readonly buffer: SendBuffer = new SendBuffer()
  /** Offset of the next byte to send; it goes back when a carrier is lost. */
  next = 0
  /** The highest `next` so far: what lies below it is sent again. */
  reached = 0
  /** How far the peer lets us send. */
  limit: number
  readonly window: ReceiveWindow
  /** Where the peer's direction ends, once known. */
  final: number | undefined
  accepted = false
  /** A frame of this stream has come from the peer. protocol.md [S8] */
  heard = false

  /** The carrier of our direction. protocol.md [S7] */
  pin: CarrierEnd | undefined
  /** Frames of our direction, but CREDIT, without acknowledgement on `pin`. */
  outstanding = 0
  /** The carrier whose queues hold it, for its signals and for its data. */
  signalQueue: CarrierEnd | undefined
  dataQueue: CarrierEnd | undefined
  /** Recent bytes sent, halved with time: tells interactive from bulk. */
  burst = 0
  burstAt = 0
  #wantsDrain = false
  readonly #owner: StreamOwner

  constructor(
    owner: StreamOwner,
    id: number,
    opening: Uint8Array,
    limit: number,
    window: ReceiveWindow,
    opens: boolean,
  ) {
    this.#owner = owner
    this.id = id
    this.opening = opening
    this.limit = limit
    this.window = window
    this.openFrame = opens ? 'due' : 'none'
  }

  get closed(): boolean {
    return this.state === 'closed'
  }

  get received(): number {
    return this.window.received
  }

  get sent(): number {
    return this.reached
  }

  get unsent(): number {
    return this.buffer.end - this.next
  }

  get room(): number {
    if (this.state === 'localEnded' || this.state === 'closed') return 0
    const room = this.#owner.highWater - this.unsent
    if (room <= 0) this.#wantsDrain = true
    return room
  }

  /** Payload that may be sent now. */
  get sendable(): number {
    if (this.resetCode !== undefined || this.openFrame === 'due') return 0
    return Math.max(0, Math.min(this.buffer.end, this.limit) - this.next)
  }

  write(bytes: Uint8Array, release?: () => void, headroom?: number): void {
    if (this.resetCode !== undefined) {
      release?.()
      return
    }
    if (this.state === 'localEnded' || this.state === 'closed') {
      throw new EngawaError('INTERNAL', 'a write after the end of a stream')
    }
    if (bytes.length === 0) {
      release?.()
      return
    }
    this.buffer.append(bytes, release, headroom)
    this.#owner.keep(bytes.length)
    this.#owner.wake(this)
  }

  end(): void {
    if (this.state === 'localEnded' || this.state === 'closed') return
    this.signal('localEnd')
    this.endFrame = 'due'
    this.#owner.wake(this)
  }

  reset(code: Code): void {
    if (this.resetCode !== undefined || this.buried) return
    this.die(code)
    this.resetFrame = 'due'
    this.#owner.wake(this)
  }

  consumed(count: number): void {
    this.#owner.credit(this, count)
  }

  accept(): void {
    if (this.acceptFrame !== 'none' || this.resetCode !== undefined) return
    this.acceptFrame = 'due'
    this.#owner.wake(this)
  }

  /** Moves the state; throws PROTOCOL_VIOLATION where the table has no cell. */
  signal(signal: Signal): void {
    const next = NEXT[this.state][signal]
    if (next === undefined) throw new EngawaError('PROTOCOL_VIOLATION', `${signal} in state ${this.state}`)
    this.state = next
  }

  /** Both directions are over: nothing is kept for sending any more. */
  die(code: Code): void {
    this.signal('reset')
    this.resetCode = code
    this.#owner.keep(this.buffer.base - this.buffer.end)
    this.buffer.drop(this.reached)
    this.next = this.buffer.end
    this.window.drop()
  }

  /** The peer has everything below `to`. */
  arrived(to: number): void {
    const before = this.buffer.base
    if (to <= before) return
    this.buffer.trim(to)
    this.#owner.keep(before - to)
    if (this.next < to) this.next = to
    this.offerRoom()
  }

  /** Tells a writer that waits, once there is room worth its while. */
  offerRoom(): void {
    if (!this.#wantsDrain || this.resetCode !== undefined) return
    if (this.room < WORTHWHILE_ROOM) return
    this.#wantsDrain = false
    this.#owner.emit({ type: 'drain', stream: this })
  }

  /** Nothing of it is still to be sent, acknowledged or consumed: what waits for a slow consumer is still granted. */
  get settled(): boolean {
    if (this.buried) return true
    if (this.state !== 'closed' || this.window.consumed < this.window.received) return false
    if (this.resetCode !== undefined) return this.resetFrame === 'acked' || this.resetFrame === 'none'
    return this.endFrame === 'acked' && this.buffer.base === this.buffer.end && this.outstanding === 0
  }
}
