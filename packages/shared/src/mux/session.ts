import { type Code, EngawaError, rowOf } from '../errors.ts'
import { FrameReader } from '../wire/frame.ts'
import { MAX_MESSAGE_BYTES, STREAM_FLOOR } from '../wire/limits.ts'
import type { Frames } from '../wire/writer.ts'
import { CarrierEnd, MOST_SILENCE_MS } from './carrier.ts'
import { Core, type Side } from './core.ts'
import type { CarrierState, LostEntry, Millis, SessionEvent, SessionFigures, Stream } from './events.ts'
import { Inbound } from './inbound.ts'
import { frameMessage, MessageReader } from './messages.ts'
import { Outbound } from './outbound.ts'
import { MuxStream } from './stream.ts'
import { ReceiveWindow } from './window.ts'

/** Credit for the answer while more than half of the shared part is free: a page should not wait for round trips. */
const GENEROUS_CREDIT = 128 * 1024
const BUDGET_BYTES = 64 * 1024 * 1024
const GRACE_MS = 120_000
/** What one pull hands out at most unless told otherwise, bytes. */
const PULL_BYTES = 512 * 1024
/** Frames other than DATA without acknowledgement on one carrier: an honest peer says within 20 ms that it has them. */
const MAX_SIGNALS = 65_536
/** A tick later than this means that the process was held up. protocol.md [R8] */
const LATE_MS = 250
const NOTHING: Frames = { buffers: [], headroom: 0, bytes: 0 }
/** Messages that wait on stream 0, bytes; more is an overflow. */
const MESSAGE_ROOM = 4 * 1024 * 1024

export interface SessionSettings {
  readonly side: Side
  /** Agreed in welcome. */
  readonly maxStreams: number
  /** Edge: the initial credit that the agent grants per stream (`login.credit`). Agent: unused. */
  readonly peerCredit?: number
  /** Agent: what it granted in `login.credit`. Edge: unused. */
  readonly ownCredit?: number
  /** What this side may grant over all streams, bytes. */
  readonly budgetBytes?: number
  /** How long the session lives without a carrier, ms. */
  readonly graceMs?: number
}

/**
 * One end of a session: numbered streams, messages and datagrams over carriers that come and go.
 *
 * Sans-IO: bytes and time go in, bytes and events come out. Spec: protocol.md §3–§10.
 */
export class Session {
  readonly #core: Core
  readonly #outbound: Outbound
  readonly #messages = new MessageReader()
  readonly #peerCredit: number
  readonly #graceMs: number
  /** When the next tick should come: what is later than this is our own delay. */
  #due: Millis = Number.POSITIVE_INFINITY

  constructor(settings: SessionSettings, now: Millis) {
    const { side, maxStreams, ownCredit = STREAM_FLOOR, budgetBytes = BUDGET_BYTES } = settings
    this.#core = new Core(side, maxStreams, ownCredit, budgetBytes, now)
    this.#outbound = new Outbound(this.#core)
    this.#peerCredit = settings.peerCredit ?? STREAM_FLOOR
    this.#graceMs = settings.graceMs ?? GRACE_MS
  }

  /** Called when something is to be pulled or taken; may be called many times in a row. */
  set onWork(callback: (() => void) | undefined) {
    this.#core.onWork = callback
  }

  get ended(): boolean {
    return this.#core.over !== undefined
  }

  // Carriers

  /** Agent: the number of the next attach. It counts as used, whatever becomes of the dial. protocol.md [H6] */
  nextCarrier(): number {
    const number = this.#core.numbers.highest + 1
    this.#core.numbers.use(number)
    this.#core.pending.add(number)
    return number
  }

  /** Edge: whether an attach may take this number. protocol.md [H6] */
  mayAttach(number: number): boolean {
    return Number.isSafeInteger(number) && number > 0 && number <= 0xffff_ffff && !this.#core.numbers.isUsed(number)
  }

  /** The carriers given up and perhaps not known to the peer: for the attach or welcome of carrier `number`. */
  lostReport(number: number): LostEntry[] {
    return this.#core.given.report(number)
  }

  /** What the peer said in its attach or welcome. Before `addCarrier`. */
  applyLost(entries: readonly LostEntry[], now: Millis): void {
    this.#core.now = now
    this.#guarded(() => this.#core.applyLost(entries))
  }

  /** A carrier whose handshake is done. False when the session is over or the number was given up meanwhile: close it. */
  addCarrier(number: number, now: Millis): boolean {
    const core = this.#core
    if (core.over !== undefined) return false
    if (!core.pending.delete(number) && core.numbers.isUsed(number)) return false
    core.now = now
    core.numbers.use(number)
    const carrier = new CarrierEnd(number, now)
    carrier.reader = new FrameReader(new Inbound(core, carrier, this.#messages))
    core.carriers.set(number, carrier)
    if (core.awaySince !== undefined) {
      core.emit({ type: 'resumed', awayMs: now - core.awaySince, streams: core.streams.size })
      core.awaySince = undefined
    }
    core.housePlaceless()
    core.onWork?.()
    return true
  }

  /** The socket of a carrier is gone, or the dial of one that was attached has failed. */
  carrierClosed(number: number, now: Millis): void {
    const core = this.#core
    core.now = now
    const carrier = core.carriers.get(number)
    if (carrier !== undefined && core.over === undefined) core.giveUp(carrier, 'closed')
    else if (this.#core.pending.delete(number)) {
      core.given.carrierGone(number)
      core.given.add(number, undefined, 0, false)
    }
  }

  /** Payload of binary messages of one carrier, cut anywhere. Keeps no reference once its events are taken. */
  receive(number: number, bytes: Uint8Array, now: Millis): void {
    const core = this.#core
    const carrier = core.carriers.get(number)
    if (carrier === undefined || core.over !== undefined) return
    core.now = now
    if (!carrier.hasRead) core.given.told(number, 0)
    carrier.read(bytes.length, now)
    this.#guarded(() => carrier.reader.feed(bytes))
    if (carrier.ledger.signals > MAX_SIGNALS) core.end('BUFFER_EXCEEDED', 'a peer that acknowledges nothing', false)
    if (core.over !== undefined) return
    carrier.noteReceived(now)
    if (carrier.suspect) this.#trust(carrier)
    this.#judge()
  }

  /** Its line takes long for a record of TLS: what `pull` gives is to be written by itself, before anything else is pulled. */
  isSlow(number: number): boolean {
    return this.#core.carriers.get(number)?.pace.isSlow ?? false
  }

  /** Frames to send now on a carrier, to be sent in order and whole; none when nothing may go. */
  pull(number: number, now: Millis, mostBytes: number = PULL_BYTES): Frames {
    const carrier = this.#core.carriers.get(number)
    if (carrier === undefined) return NOTHING
    this.#core.now = now
    const frames = this.#outbound.pull(carrier, mostBytes)
    if (frames.buffers.length > 0) carrier.noteBusy(this.#core.busyMs, now)
    return frames
  }

  /** All that was ever pulled, on whichever carrier, has been written: the memory of its small frames is used again. */
  written(): void {
    this.#outbound.written()
  }

  /** Asks every carrier for a sign of life: something may have happened to the way. protocol.md [R6] */
  probe(now: Millis): void {
    this.#core.now = now
    this.#core.doubt()
  }

  // Time

  /** Looks at what is silent or late. To be called at `deadline()`, after sockets have been read. */
  tick(now: Millis): void {
    const core = this.#core
    core.now = now
    if (core.over !== undefined) return
    const late = now - this.#due
    if (late > LATE_MS) {
      for (const carrier of core.carriers.values()) carrier.forgive(late, now)
      if (core.awaySince !== undefined) core.awaySince = Math.min(now, core.awaySince + late)
    }
    // What a carrier has shown of the line goes with it, and may have been all that spoke for another.
    for (let lost = -1; lost !== core.carriersLost; ) {
      lost = core.carriersLost
      for (const carrier of core.carriers.values()) {
        if (carrier.isDead(this.#retryMs(carrier), now)) core.giveUp(carrier, 'silent')
        else if (!carrier.suspect && carrier.isSilent(now)) this.#suspect(carrier)
      }
      this.#judge()
    }
    if (core.awaySince !== undefined && now >= core.awaySince + this.#graceMs) {
      core.end('GRACE_EXPIRED', 'no carrier for the whole grace', false)
    }
  }

  /** When `tick` has work next; Infinity when never. */
  deadline(): Millis {
    const core = this.#core
    let due = core.awaySince === undefined ? Number.POSITIVE_INFINITY : core.awaySince + this.#graceMs
    for (const carrier of core.carriers.values()) {
      due = Math.min(due, carrier.deadline(this.#retryMs(carrier)), this.#condemnedAt(carrier))
    }
    if (core.over !== undefined) due = Number.POSITIVE_INFINITY
    // What was due before somebody could ask (an ACK or a PING that a full socket keeps back) makes no tick late.
    this.#due = Math.max(due, core.now)
    return due
  }

  /** What has happened, in order, since the last call. */
  takeEvents(): SessionEvent[] {
    const core = this.#core
    const { events } = core
    if (events.length > 0) core.events = []
    else core.attentive = core.isConversing
    return events
  }

  // Streams, messages, datagrams

  /** Whether the session has room for one more stream. */
  get canOpen(): boolean {
    const core = this.#core
    return core.over === undefined && core.streams.size + core.unnumbered.size < core.maxStreams
  }

  /** Edge: a new stream. Throws SESSION_FULL, or STREAM_ABORTED once the session is over. */
  open(opening: Uint8Array): Stream {
    const core = this.#core
    if (core.over !== undefined) throw new EngawaError('STREAM_ABORTED', 'the session is over')
    if (!this.canOpen) throw new EngawaError('SESSION_FULL', 'the session has as many streams as it may')
    const isAmple = core.pool.free * 2 > core.pool.shared
    const credit = STREAM_FLOOR + (isAmple ? Math.min(GENEROUS_CREDIT - STREAM_FLOOR, core.pool.free >> 3) : 0)
    const window = new ReceiveWindow(core.pool, credit)
    const stream = new MuxStream(core, 0, opening, this.#peerCredit, window, true)
    core.unnumbered.add(stream)
    core.wake(stream)
    return stream
  }

  /** A message on stream 0, its JSON bytes. False when too many wait: what may be dropped is dropped, else end the session. */
  sendMessage(json: Uint8Array): boolean {
    const { control, over } = this.#core
    if (over !== undefined) return false
    if (json.length > MAX_MESSAGE_BYTES) throw new EngawaError('INTERNAL', 'a message too long')
    if (control.buffer.end - control.buffer.base > MESSAGE_ROOM) return false
    control.write(frameMessage(json))
    return true
  }

  /** Bytes that wait on stream 0: what may be dropped is dropped above some of them. */
  get messageBacklog(): number {
    return this.#core.control.unsent
  }

  openFlow(opening: Uint8Array): number {
    return this.#core.flows.open(opening)
  }

  closeFlow(flow: number): void {
    this.#core.flows.close(flow)
  }

  /** False when it was dropped. Keeps `bytes` until they are pulled. */
  sendDatagram(flow: number, bytes: Uint8Array): boolean {
    return this.#core.over === undefined && this.#core.flows.send(flow, bytes)
  }

  /** Ends the session with a GOAWAY; every stream is reset. */
  end(code: Code, reason: string = ''): void {
    this.#core.end(code, reason, false)
  }

  get carriers(): readonly CarrierState[] {
    return [...this.#core.carriers.values()].map((carrier) => carrier.view)
  }

  get figures(): SessionFigures {
    const core = this.#core
    return {
      streams: core.streams.size + core.unnumbered.size,
      resentBytes: core.resentBytes,
      carriersLost: core.carriersLost,
      framesDropped: core.framesDropped,
      datagramsDropped: core.flows.dropped,
      bufferedBytes: core.kept + core.pool.waiting,
      grantedBytes: core.pool.used + STREAM_FLOOR * core.live,
    }
  }

  #suspect(carrier: CarrierEnd): void {
    carrier.suspect = true
    this.#core.emit({ type: 'carrierSuspect', carrier: carrier.number })
    this.#core.doubt()
    for (const stream of this.#core.streams.values()) {
      if (stream.pin === carrier && stream.outstanding === 0) this.#core.place(stream)
    }
  }

  #trust(carrier: CarrierEnd): void {
    carrier.suspect = false
    this.#core.emit({ type: 'carrierTrusted', carrier: carrier.number })
    this.#core.housePlaceless()
  }

  /**
   * A suspect is lost once another carrier has answered what it was asked since the silence began: what it had under way
   * before proves nothing, since both may wait behind the same queue. protocol.md [R8]
   */
  #judge(): void {
    const core = this.#core
    for (const carrier of core.carriers.values()) {
      if (core.now >= this.#condemnedAt(carrier)) core.giveUp(carrier, 'silent')
    }
  }

  /** When a suspect is lost, as things stand. protocol.md [R8] */
  #condemnedAt(carrier: CarrierEnd): Millis {
    const since = carrier.suspect ? carrier.silentSince : undefined
    let at = Number.POSITIVE_INFINITY
    if (since === undefined) return at
    for (const other of this.#core.carriers.values()) {
      if (other === carrier || other.provenAt <= since) continue
      // One that was made since came through from nothing: it knows the line as it is now.
      const retryMs = other.since > since ? other.retryMs / 2 : this.#retryMs(carrier)
      at = Math.min(at, since + Math.min(MOST_SILENCE_MS, retryMs))
    }
    return at
  }

  /** What the other carriers show: so long a silence is nothing on their line. */
  #retryMs(carrier: CarrierEnd): number {
    let most = 0
    for (const other of this.#core.carriers.values()) if (other !== carrier) most = Math.max(most, other.retryMs)
    return most
  }

  /** A peer that breaks the protocol ends its session; a bug of ours is thrown on. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof EngawaError) || rowOf(error.code).scope !== 'session') throw error
      this.#core.end(error.code, error.message, false)
    }
  }
}
