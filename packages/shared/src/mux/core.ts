import { type Code, EngawaError } from '../errors.ts'
import { ACCEPT, CREDIT, DATA, END, LOST, OPEN, RESET } from '../wire/frame.ts'
import { CONTROL_CREDIT, MAX_LOST_ENTRIES, MAX_OPEN_SPAN } from '../wire/limits.ts'
import { type CarrierEnd, type EntryOwner } from './carrier.ts'
import type { LostEntry, Millis, SessionEvent } from './events.ts'
import { Flows } from './flows.ts'
import { GivenUp } from './givenup.ts'
import type { Entry } from './ledger.ts'
import { CarrierNumbers } from './numbers.ts'
import { Queue } from './queue.ts'
import { SeenIds } from './seen.ts'
import { MuxStream, type StreamOwner } from './stream.ts'
import { CreditPool, ReceiveWindow } from './window.ts'

/** What each stream may keep unsent, bytes. */
const HIGH_WATER = 256 * 1024
/** While somebody converses: what a writer brings at once is work of one turn. */
const ATTENTIVE_WATER = 64 * 1024
/** While the session keeps more than `CROWDED_BYTES` unsent. */
const CROWDED_WATER = 16 * 1024
const CROWDED_BYTES = 16 * 1024 * 1024
/** Whoever has said something may say more for so long, ms. protocol.md [R9] */
const CONVERSING_MS = 1000
const NOTHING = new Uint8Array(0)

export type Side = 'edge' | 'agent'

/** What inbound, outbound and the session share: streams, carriers and what is agreed about them. Spec: protocol.md §4–§6. */
export class Core implements StreamOwner {
  readonly side: Side
  readonly maxStreams: number
  /** Credit that the agent grants each stream from the start. */
  readonly firstCredit: number
  now: Millis
  readonly pool: CreditPool
  readonly control: MuxStream
  readonly streams: Map<number, MuxStream> = new Map()
  readonly carriers: Map<number, CarrierEnd> = new Map()
  readonly numbers: CarrierNumbers = new CarrierNumbers()
  /** Agent: numbers of attaches whose answer has not come. */
  readonly pending: Set<number> = new Set()
  readonly given: GivenUp = new GivenUp()
  readonly flows: Flows
  readonly seen: SeenIds = new SeenIds()
  readonly creditDue: Set<MuxStream> = new Set()
  over: { readonly code: Code; readonly reason: string; readonly byPeer: boolean } | undefined
  awaySince: Millis | undefined
  /** Carriers not read since then may be dead. */
  #doubtedAt: Millis = Number.NEGATIVE_INFINITY
  /** When an interactive stream has last sent all that it had, and that was little. */
  conversedAt: Millis = Number.NEGATIVE_INFINITY
  /** Somebody converses, as of when the last event was taken: a `drain` that is on its way means room. */
  attentive = false
  events: SessionEvent[] = []
  onWork: (() => void) | undefined

  kept = 0
  resentBytes = 0
  carriersLost = 0
  framesDropped = 0
  /** Opened here and not yet with an id. */
  readonly unnumbered: Set<MuxStream> = new Set()
  /** The next id to give. */
  nextId = 1
  /** Streams whose OPEN is out and not known to have arrived, by id. */
  readonly #openings = new Queue<MuxStream>()
  /** Streams that wait for the span of ids to move on. protocol.md [S4] */
  readonly #spanned = new Set<MuxStream>()
  /** Streams with something to send and no carrier to trust. */
  readonly #homeless = new Set<MuxStream>()

  constructor(side: Side, maxStreams: number, firstCredit: number, budgetBytes: number, now: Millis) {
    this.side = side
    this.maxStreams = maxStreams
    this.firstCredit = firstCredit
    this.now = now
    this.pool = new CreditPool(budgetBytes, maxStreams)
    this.flows = new Flows(this)
    // Outside the sums of §5, so that a full session can still be told things.
    const own = new ReceiveWindow(new CreditPool(CONTROL_CREDIT, 0), CONTROL_CREDIT)
    this.control = new MuxStream(this, 0, NOTHING, CONTROL_CREDIT, own, false)
  }

  emit(event: SessionEvent): void {
    this.events.push(event)
    this.onWork?.()
  }

  get highWater(): number {
    if (this.kept > CROWDED_BYTES) return CROWDED_WATER
    return this.attentive ? ATTENTIVE_WATER : HIGH_WATER
  }

  /** Somebody waits for answers, and each turn of ours that moves much makes them wait longer. */
  get isConversing(): boolean {
    return this.now - this.conversedAt < CONVERSING_MS
  }

  keep(delta: number): void {
    this.kept += delta
  }

  // Streams

  /** The stream of a frame; undefined (and counted) for one that is over. Throws for an id that was never opened. */
  find(id: number): MuxStream | undefined {
    if (id === 0) return this.control
    const stream = this.streams.get(id)
    if (stream !== undefined) {
      stream.heard = true
      return stream
    }
    const known = this.side === 'edge' ? id < this.nextId : this.seen.has(id)
    if (!known) throw new EngawaError('PROTOCOL_VIOLATION', `a frame for stream ${id}, which was never opened`)
    this.framesDropped++
    return undefined
  }

  /** Streams that hold credit: those reset here hold none, those with bytes for a slow consumer do, also after their end. */
  get live(): number {
    if (this.streams.size < this.maxStreams) return this.streams.size
    let live = 0
    for (const { closed, window } of this.streams.values()) if (!closed || window.consumed < window.received) live++
    return live
  }

  wake(stream: MuxStream): void {
    if (this.over !== undefined) return
    if (stream.resetCode !== undefined && stream.openFrame === 'due' && stream.id === 0 && stream !== this.control) {
      this.bury(stream)
    } else this.place(stream)
    this.onWork?.()
  }

  credit(stream: MuxStream, consumed: number): void {
    if (stream.resetCode !== undefined) return
    const rtt = stream.pin?.pace.smoothedRtt ?? this.#anyRtt()
    const isDue = stream.window.take(consumed, this.now, rtt)
    this.settle(stream)
    if (!isDue) return
    this.creditDue.add(stream)
    this.onWork?.()
  }

  #anyRtt(): number {
    for (const carrier of this.carriers.values()) return carrier.pace.smoothedRtt ?? 0
    return 0
  }

  /** Gives a stream its id, if the span allows it. protocol.md [S4] */
  number(stream: MuxStream): boolean {
    if (this.#freeIds() <= 0) {
      this.#spanned.add(stream)
      return false
    }
    stream.id = this.nextId++
    this.unnumbered.delete(stream)
    this.streams.set(stream.id, stream)
    this.#openings.push(stream)
    return true
  }

  /** The peer knows of more openings: those that waited for it go on. */
  openingsMoved(): void {
    if (this.#spanned.size === 0) return
    let free = this.#freeIds()
    for (const stream of this.#spanned) {
      if (free-- <= 0) return
      this.#spanned.delete(stream)
      this.place(stream)
    }
  }

  /** How many ids may be given before the peer must show that it knows an older one. */
  #freeIds(): number {
    let oldest = this.#openings.peek()
    while (oldest !== undefined && (oldest.openFrame === 'acked' || oldest.heard || oldest.buried)) {
      this.#openings.shift()
      oldest = this.#openings.peek()
    }
    return oldest === undefined ? MAX_OPEN_SPAN : MAX_OPEN_SPAN - (this.nextId - oldest.id)
  }

  /** Puts a stream into the queues of its carrier; finds one for it first, if it may and must. protocol.md [S7] */
  place(stream: MuxStream): void {
    if (stream.buried) return
    let pin = stream.pin
    if (pin !== undefined && this.carriers.get(pin.number) !== pin) {
      // What it sent there waits for the peer's count.
      if (stream.outstanding > 0) return
      pin = undefined
    }
    if (pin?.suspect === true && stream.outstanding === 0) pin = this.best() ?? pin
    pin ??= this.best()
    if (pin !== undefined && pin !== stream.pin) pin.pins++
    stream.pin = pin
    if (pin === undefined) {
      this.#homeless.add(stream)
      return
    }
    if (signalDue(stream)) pin.queueSignal(stream)
    if (stream.sendable > 0) pin.queueData(stream, this.now)
  }

  /** Forgets a stream of which nothing is left to send or to hear. */
  settle(stream: MuxStream): void {
    if (stream.settled) this.bury(stream)
  }

  bury(stream: MuxStream): void {
    stream.buried = true
    stream.window.finish()
    this.creditDue.delete(stream)
    this.#homeless.delete(stream)
    this.#spanned.delete(stream)
    this.unnumbered.delete(stream)
    if (this.streams.get(stream.id) === stream) this.streams.delete(stream.id)
  }

  // Carriers

  /**
   * The trusted carrier with the least to do; of idle ones that with the fewest streams so far, so that a loss stops few.
   * Where one carrier has died others may have: those that have been heard since come first.
   */
  best(): CarrierEnd | undefined {
    let best: CarrierEnd | undefined
    for (const carrier of this.carriers.values()) {
      if (!carrier.suspect && (best === undefined || this.#isBetter(carrier, best))) best = carrier
    }
    return best
  }

  #isBetter(carrier: CarrierEnd, best: CarrierEnd): boolean {
    const isProven = carrier.lastReadAt >= this.#doubtedAt
    if (isProven !== best.lastReadAt >= this.#doubtedAt) return isProven
    return carrier.load < best.load || (carrier.load === best.load && carrier.pins < best.pins)
  }

  /** Something happened to the way: every carrier is asked, and pinned to again for choice once it has answered. protocol.md [R6] */
  doubt(): void {
    this.#doubtedAt = this.now
    for (const carrier of this.carriers.values()) if (!carrier.suspect) carrier.pingDue = true
    this.onWork?.()
  }

  /** `carrier` has made room to measure the line. All may share it: once all have, all are asked. protocol.md [R9] */
  roomMade(carrier: CarrierEnd): void {
    carrier.hasRoom = true
    const trusted = [...this.carriers.values()].filter(({ suspect }) => !suspect)
    for (const { pace } of trusted) pace.makeRoom()
    if (!trusted.every(({ hasRoom, ledger }) => hasRoom || ledger.inFlight === 0)) return
    for (const each of trusted) {
      each.hasRoom = false
      each.pace.roomMade(this.now)
      each.pingDue = true
    }
    this.onWork?.()
  }

  housePlaceless(): void {
    const waiting = [...this.#homeless]
    this.#homeless.clear()
    for (const stream of waiting) this.place(stream)
  }

  /** How long one line would be busy with what is in flight on all carriers. */
  get busyMs(): number {
    let sum = 0
    for (const { drainMs } of this.carriers.values()) sum += drainMs
    return sum
  }

  giveUp(carrier: CarrierEnd, why: 'closed' | 'silent' | 'peer'): void {
    this.carriers.delete(carrier.number)
    this.carriersLost++
    this.doubt()
    this.given.add(carrier.number, carrier, carrier.reader.ledgered, false)
    this.given.carrierGone(carrier.number)
    this.emit({ type: 'carrierLost', carrier: carrier.number, why })
    for (const stream of [this.control, ...this.streams.values(), ...this.unnumbered]) {
      if (stream.pin === carrier && stream.outstanding === 0) this.place(stream)
    }
    this.housePlaceless()
    if (this.carriers.size === 0) {
      this.awaySince = this.now
      this.emit({ type: 'away' })
    }
    if (this.given.overflowing) this.end('SESSION_CLOSED', 'too many carriers were lost unsaid', false)
  }

  /** The peer's word on carriers that are no more. Throws PROTOCOL_VIOLATION. protocol.md [R3], [R4] */
  applyLost(entries: readonly LostEntry[]): void {
    for (const [number, received] of entries) {
      if (this.over !== undefined) return
      const live = this.carriers.get(number)
      if (live !== undefined) this.giveUp(live, 'peer')
      if (this.given.has(number)) {
        const end = this.given.heard(number)
        if (end !== undefined) this.#sendAgain(end, received)
      } else if (this.side === 'edge' ? !this.numbers.isUsed(number) : this.pending.delete(number)) {
        // Never a carrier here: the edge refuses the number from now on, the agent drops what its dial brings.
        this.numbers.use(number)
        this.given.add(number, undefined, 0, true)
        this.given.forgetDials(this.numbers.highest - MAX_LOST_ENTRIES)
      }
    }
  }

  #sendAgain(carrier: CarrierEnd, received: number): void {
    this.acknowledge(carrier, received)
    for (const entry of carrier.ledger.drain()) {
      const stream = entry.owner
      if (stream === undefined || stream.buried) continue
      if (entry.type === CREDIT) {
        if (!stream.closed) this.creditDue.add(stream)
      } else if (entry.type === DATA) {
        if (stream.resetCode === undefined) stream.next = Math.min(stream.next, entry.from)
      } else if (entry.type === OPEN) stream.openFrame = stream.heard ? 'acked' : 'due'
      else if (entry.type === ACCEPT) stream.acceptFrame = 'due'
      else if (entry.type === END) stream.endFrame = 'due'
      else if (entry.type === RESET) stream.resetFrame = 'due'
    }
    // All that were pinned there, also those of which everything had arrived: they may have more to send.
    for (const stream of [this.control, ...this.streams.values()]) {
      if (stream.pin !== carrier) continue
      stream.outstanding = 0
      stream.pin = undefined
      this.place(stream)
    }
    this.onWork?.()
  }

  /** The peer has `received` ledgered bytes of a carrier. Throws PROTOCOL_VIOLATION. */
  acknowledge(carrier: CarrierEnd, received: number): void {
    carrier.ledger.acknowledge(
      received,
      (entry) => this.#arrived(carrier, entry),
      (entry) => entry.owner?.arrived(entry.from),
    )
    carrier.answered()
  }

  #arrived(carrier: CarrierEnd, { type, owner, from, to }: Entry<EntryOwner>): void {
    if (owner === undefined) {
      if (type === LOST) this.given.told(carrier.number, from)
      return
    }
    if (type === CREDIT) return
    owner.outstanding--
    if (type === DATA) owner.arrived(to)
    else if (type === OPEN) {
      owner.openFrame = 'acked'
      this.openingsMoved()
    } else if (type === ACCEPT) owner.acceptFrame = 'acked'
    else if (type === END) owner.endFrame = 'acked'
    else if (type === RESET) owner.resetFrame = 'acked'
    this.settle(owner)
  }

  // The end

  end(code: Code, reason: string, byPeer: boolean): void {
    if (this.over !== undefined) return
    this.over = { code, reason, byPeer }
    for (const stream of [...this.streams.values(), ...this.unnumbered]) {
      if (stream.buried || stream.resetCode !== undefined) continue
      stream.die('STREAM_ABORTED')
      this.emit({ type: 'reset', stream, code: 'STREAM_ABORTED' })
    }
    this.streams.clear()
    this.unnumbered.clear()
    this.creditDue.clear()
    this.#homeless.clear()
    this.#spanned.clear()
    this.emit({ type: 'closed', code, reason, byPeer })
  }
}

/** Whether anything but data of a stream is to be sent. END goes after the last byte. */
export function signalDue(stream: MuxStream): boolean {
  if (stream.openFrame === 'due' || stream.resetFrame === 'due') return true
  if (stream.resetCode !== undefined) return false
  return stream.acceptFrame === 'due' || (stream.endFrame === 'due' && stream.next === stream.buffer.end)
}
