import type { LostEntry, Millis, SessionEvent, Stream } from '../../src/mux/events.ts'
import { Session, type SessionSettings } from '../../src/mux/session.ts'
import { isGone, type Lane, laneOfOpening, newLane, openingOf, type SideName, take, takeEnd } from './lane.ts'
import { Line, Pipe } from './pipe.ts'
import { Bottleneck, TcpPipe } from './tcp.ts'

/** One carrier: what each end has sent and the other has not read yet. */
export interface Link {
  readonly number: number
  readonly toEdge: Pipe | TcpPipe
  readonly toAgent: Pipe | TcpPipe
}

/** What fails while a carrier is being dialled. */
export type DialFate = 'works' | 'attachLost' | 'welcomeLost' | 'welcomeLate'

interface Dial {
  readonly number: number
  readonly fate: DialFate
  readonly delayMs: number
  stage: 'attach' | 'welcome' | 'giveUp'
  at: Millis
  lost: ReturnType<Session['lostReport']>
  link: Link | undefined
}

export interface WorldSettings {
  readonly maxStreams: number
  readonly credit: number
  readonly budgetBytes?: number
  readonly delayMs: number
  /** Bytes a millisecond of each direction of each carrier. */
  readonly rate?: number
  /** All carriers go over one line of that rate. */
  readonly isShared?: boolean
  /** That line has a queue of so many bytes each way and drops what finds it full; carriers go over it by TCP. */
  readonly queueBytes?: number
  /** What is handed over together arrives in records, as over TLS: nothing of one is read before all of it is there. */
  readonly hasRecords?: boolean
  /** Received bytes are overwritten once their events have been handled. */
  readonly scramble?: boolean
  /** Each side takes less of a dead carrier for received than it has handed on: everything may come twice. [S1] */
  readonly understates?: boolean
  /** Reads come in pieces of at most this many bytes. */
  readonly readBytes?: number
}

/** How long the agent waits for an answer to its attach. */
const DIAL_TIMEOUT_MS = 2000
const NEVER = Number.POSITIVE_INFINITY

/** One end: a session, its sockets, and what it was told. */
export class Side {
  readonly name: SideName
  readonly session: Session
  /** Carriers whose socket this end holds. */
  readonly held = new Map<number, Link>()
  readonly lanes = new Map<Stream, Lane>()
  /** Until then its process stands still. */
  sleepsUntil = 0
  isAway = false
  /** `onWork` was called since the last pump, and when that was. */
  woken = false
  pumpedAt = 0
  closed: { code: string; byPeer: boolean } | undefined
  messages: string[] = []
  datagrams = 0

  constructor(name: SideName, settings: SessionSettings, now: Millis) {
    this.name = name
    this.session = new Session(settings, now)
    this.session.onWork = () => {
      this.woken = true
    }
  }
}

/**
 * An edge and an agent in virtual time, joined by carriers that fail in every way we know of.
 *
 * It drives the two sessions as pump and handshake do and checks each event against the oracle. It throws at the first
 * thing that must not be.
 */
export class World {
  now: Millis = 1000
  readonly edge: Side
  readonly agent: Side
  readonly settings: WorldSettings
  readonly lanes: Lane[] = []
  readonly links: Link[] = []
  /** Sees every buffer that an end hands to a carrier, and every one that an end reads. */
  onSent: ((from: SideName, link: Link, bytes: Uint8Array) => void) | undefined
  onRead: ((by: SideName, link: Link, bytes: Uint8Array) => void) | undefined
  /** Sees what a side hears in attach or welcome. */
  onReport: ((to: SideName, entries: readonly LostEntry[]) => void) | undefined
  /** Takes the events of a side instead of the oracle, if it answers true. */
  onEvents: ((side: Side) => boolean) | undefined
  sentMessages: Record<SideName, string[]> = { edge: [], agent: [] }
  readonly #lines = { toEdge: new Line(), toAgent: new Line() }
  /** What all carriers share where they go by TCP; another one from now on, if set. */
  bottlenecks: { toEdge: Bottleneck; toAgent: Bottleneck } | undefined
  #dials: Dial[] = []
  #agentWasFull = false

  constructor(settings: WorldSettings) {
    this.settings = settings
    const { maxStreams, credit, budgetBytes, rate, queueBytes, delayMs } = settings
    if (rate !== undefined && queueBytes !== undefined) {
      const way = (): Bottleneck => new Bottleneck(rate, queueBytes, delayMs)
      this.bottlenecks = { toEdge: way(), toAgent: way() }
    }
    const budget = budgetBytes === undefined ? {} : { budgetBytes }
    this.edge = new Side('edge', { side: 'edge', maxStreams, peerCredit: credit, ownCredit: 0, ...budget }, this.now)
    this.agent = new Side('agent', { side: 'agent', maxStreams, peerCredit: 0, ownCredit: credit, ...budget }, this.now)
    const link = this.#link(1, settings.delayMs)
    for (const side of this.sides) this.#hold(side, link)
    this.pump()
  }

  get sides(): [Side, Side] {
    return [this.edge, this.agent]
  }

  change(rate: number, room: number): void {
    this.bottlenecks?.toEdge.become(rate, room)
    this.bottlenecks?.toAgent.become(rate, room)
  }

  side(name: SideName): Side {
    return name === 'edge' ? this.edge : this.agent
  }

  // What the owners do

  open(): Lane | undefined {
    if (!this.edge.session.canOpen) return undefined
    const lane = newLane(this.lanes.length)
    this.lanes.push(lane)
    lane.edge = this.edge.session.open(openingOf(lane.index))
    this.edge.lanes.set(lane.edge, lane)
    return lane
  }

  /** The oracle forgets what has come to rest, so that it does not grow itself. */
  forget(): void {
    this.lanes.length = 0
    for (const side of this.sides) {
      side.lanes.clear()
      side.messages = []
      this.sentMessages[side.name] = []
    }
  }

  message(from: SideName, text: string): void {
    this.sentMessages[from].push(text)
    this.side(from).session.sendMessage(Buffer.from(text))
  }

  // What happens to carriers

  /** The agent dials. False when it has enough attempts and carriers. */
  dial(fate: DialFate, delayMs: number): boolean {
    if (this.#dials.length + this.agent.held.size >= 3 || this.agent.closed !== undefined) return false
    const number = this.agent.session.nextCarrier()
    const lost = this.agent.session.lostReport(number)
    const isSeen = fate !== 'attachLost'
    const at = this.now + (isSeen ? delayMs : DIAL_TIMEOUT_MS)
    this.#dials.push({ number, fate, delayMs, stage: isSeen ? 'attach' : 'giveUp', at, lost, link: undefined })
    return true
  }

  get dialling(): number {
    return this.#dials.length
  }

  /** Cuts what is under way; each end hears of it after its time (Infinity: never, dropped silently). */
  cut(link: Link, keep: { toEdge: number; toAgent: number }, hears: { edge: Millis; agent: Millis }): void {
    link.toEdge.cut(keep.toEdge)
    link.toAgent.cut(keep.toAgent)
    link.toEdge.closesAt = this.now + hears.edge
    link.toAgent.closesAt = this.now + hears.agent
  }

  /** One end closes its socket, for its own reasons; the other hears of it behind the bytes under way. */
  close(side: Side, link: Link): void {
    this.#drop(side, link)
    side.session.carrierClosed(link.number, this.now)
    this.#handle(side)
  }

  // Time

  /** Lets everything happen that is due in the next `ms`. */
  advance(ms: number): void {
    const until = this.now + ms
    this.pump()
    for (let turns = 0; ; turns++) {
      const at = this.#nextAt()
      if (at > until) break
      if (turns > 200_000) throw new Error('the world does not come to rest')
      this.now = Math.max(this.now, at)
      this.#turn()
    }
    this.now = until
  }

  /** Both ends hand their carriers what may go. */
  pump(): void {
    for (const side of this.sides) if (side.sleepsUntil <= this.now) this.pumpSide(side)
  }

  /** What a side gives at once; `mostBytes` as for `pull`. */
  pumpSide(side: Side, mostBytes?: number): number {
    let total = 0
    if (mostBytes === undefined) {
      side.woken = false
      side.pumpedAt = this.now
    }
    for (const [number, link] of side.held) {
      for (let turns = 0; ; turns++) {
        const { buffers } = side.session.pull(number, this.now, mostBytes)
        if (buffers.length === 0) break
        if (turns > 10_000) throw new Error('pull never says that nothing may go')
        for (const bytes of this.settings.hasRecords === true ? recordsOf(buffers) : buffers) {
          total += bytes.length
          this.onSent?.(side.name, link, bytes)
          if (side.name === 'edge') link.toAgent.push(bytes, this.now)
          else link.toEdge.push(bytes, this.now)
        }
        if (mostBytes !== undefined) break
      }
    }
    this.#handle(side)
    return total
  }

  // Inside

  #nextAt(): Millis {
    let next = NEVER
    for (const dial of this.#dials) if (dial.at < next) next = dial.at
    for (const side of this.sides) {
      let at = side.session.deadline()
      for (const link of this.links) at = Math.min(at, this.#dueAt(side, link))
      next = Math.min(next, Math.max(at, side.sleepsUntil))
    }
    return next
  }

  #pipeTo(side: Side, link: Link): Pipe | TcpPipe {
    return side.name === 'edge' ? link.toEdge : link.toAgent
  }

  /** When the next bytes of a link, or the news of its end, reach a side. */
  #dueAt(side: Side, link: Link): Millis {
    const pipe = this.#pipeTo(side, link)
    if (!pipe.isEmpty) return pipe.nextAt
    return side.held.has(link.number) ? pipe.closesAt : NEVER
  }

  #turn(): void {
    const { now } = this
    for (const dial of this.#dials) if (dial.at <= now) this.#handshake(dial)
    this.#dials = this.#dials.filter((dial) => dial.at < NEVER)
    for (const side of this.sides) {
      if (side.sleepsUntil > now) continue
      for (const link of this.links) this.#read(side, link)
      this.#tick(side)
      this.pumpSide(side)
      if (side.session.deadline() <= now) {
        this.#tick(side)
        this.pumpSide(side)
        if (side.session.deadline() <= now) throw new Error(`${side.name}: its deadline does not move`)
      }
    }
    for (let index = this.links.length - 1; index >= 0; index--) {
      const link = this.links[index] as Link
      const isDone = link.toEdge.isEmpty && link.toAgent.isEmpty
      if (isDone && !this.edge.held.has(link.number) && !this.agent.held.has(link.number)) {
        if (!this.#dials.some((dial) => dial.number === link.number)) this.links.splice(index, 1)
      }
    }
  }

  #tick(side: Side): void {
    side.session.tick(this.now)
    this.#handle(side)
  }

  #read(side: Side, link: Link): void {
    const pipe = this.#pipeTo(side, link)
    const { readBytes = NEVER, scramble = false } = this.settings
    for (let bytes = pipe.take(this.now, readBytes); bytes !== undefined; bytes = pipe.take(this.now, readBytes)) {
      this.onRead?.(side.name, link, bytes)
      const given = scramble ? Buffer.from(bytes) : bytes
      // Also when this side has dropped the carrier: what comes late must do no harm.
      side.session.receive(link.number, given, this.now)
      this.#handle(side)
      if (side.name === 'agent') this.#agentWasFull ||= this.#agentIsFull
      if (scramble) given.fill(0xee)
    }
    if (pipe.isEmpty && pipe.closesAt <= this.now && side.held.has(link.number)) this.close(side, link)
  }

  #handshake(dial: Dial): void {
    const { edge, agent } = this
    if (dial.stage === 'attach') {
      dial.stage = dial.fate === 'welcomeLost' ? 'giveUp' : 'welcome'
      const late = dial.fate === 'welcomeLate' ? 700 : 0
      dial.at = this.now + (dial.fate === 'welcomeLost' ? DIAL_TIMEOUT_MS : dial.delayMs + late)
      if (edge.closed !== undefined || !edge.session.mayAttach(dial.number)) {
        dial.stage = 'giveUp'
        return
      }
      edge.session.applyLost(this.#heard('edge', dial.lost), this.now)
      this.#handle(edge)
      dial.lost = edge.session.lostReport(dial.number)
      const link = this.#link(dial.number, dial.delayMs)
      dial.link = link
      link.toAgent.stalledUntil = dial.at
      if (dial.fate === 'welcomeLost') this.cut(link, { toEdge: 0, toAgent: 0 }, { edge: NEVER, agent: NEVER })
      this.#hold(edge, link)
      return
    }
    dial.at = NEVER
    if (agent.closed !== undefined) return
    if (dial.stage === 'giveUp' || dial.link === undefined) {
      agent.session.carrierClosed(dial.number, this.now)
      this.#handle(agent)
      return
    }
    agent.session.applyLost(this.#heard('agent', dial.lost), this.now)
    this.#handle(agent)
    this.#hold(agent, dial.link)
  }

  /** What the other side hears of a report. */
  #heard(to: SideName, entries: readonly LostEntry[]): readonly LostEntry[] {
    const share = (number: number): number => (this.settings.understates === true ? ((number * 3) % 7) / 7 : 1)
    const heard = entries.map(([number, received]): LostEntry => [number, Math.floor(received * share(number))])
    this.onReport?.(to, heard)
    return heard
  }

  #link(number: number, delayMs: number): Link {
    const { rate, isShared = false } = this.settings
    if (this.bottlenecks !== undefined) {
      const { toEdge: up, toAgent: down } = this.bottlenecks
      const link = { number, toEdge: new TcpPipe(delayMs, up, down), toAgent: new TcpPipe(delayMs, down, up) }
      this.links.push(link)
      return link
    }
    const { toEdge, toAgent } = isShared ? this.#lines : { toEdge: new Line(), toAgent: new Line() }
    const link = { number, toEdge: new Pipe(delayMs, rate, toEdge), toAgent: new Pipe(delayMs, rate, toAgent) }
    this.links.push(link)
    return link
  }

  #hold(side: Side, link: Link): void {
    side.held.set(link.number, link)
    if (!side.session.addCarrier(link.number, this.now)) this.#drop(side, link)
    this.#handle(side)
  }

  /** The socket of one end is gone: it sends nothing any more, and the other end will hear of it. */
  #drop(side: Side, link: Link): void {
    if (!side.held.delete(link.number)) return
    const pipe = side.name === 'edge' ? link.toAgent : link.toEdge
    pipe.cut(NEVER)
    if (pipe.closesAt === NEVER && pipe.stalledUntil < NEVER) pipe.closesAt = this.now + pipe.delayMs
  }

  #handle(side: Side): void {
    if (this.onEvents?.(side) === true) return
    for (const event of side.session.takeEvents()) this.#event(side, event)
  }

  #event(side: Side, event: SessionEvent): void {
    switch (event.type) {
      case 'opened':
        return this.#opened(side, event.stream)
      case 'data':
        return take(this.#halfOf(side, event.stream, 'data'), event.bytes)
      case 'ended':
        return takeEnd(this.#halfOf(side, event.stream, 'ended'))
      case 'reset':
        return this.#wasReset(side, event.stream, event.code)
      case 'accepted': {
        const lane = this.#laneOf(side, event.stream, 'accepted')
        if (side.name !== 'edge' || !lane.accepted || lane.acceptSeen) throw new Error('a false ACCEPT')
        lane.acceptSeen = true
        return
      }
      case 'drain':
        if (event.stream.room <= 0) throw new Error('drain without room')
        return
      case 'message': {
        const expected = this.sentMessages[side.name === 'edge' ? 'agent' : 'edge'][side.messages.length]
        const text = Buffer.from(event.bytes).toString()
        if (text !== expected) throw new Error(`message ${side.messages.length} is not what was sent`)
        side.messages.push(text)
        return
      }
      case 'datagram':
        side.datagrams++
        return
      case 'carrierLost': {
        const link = side.held.get(event.carrier)
        if (link !== undefined) this.#drop(side, link)
        return
      }
      case 'away':
        if (side.isAway || side.held.size > 0) throw new Error('away, but it is not')
        side.isAway = true
        return
      case 'resumed':
        if (!side.isAway) throw new Error('resumed, but it never was away')
        side.isAway = false
        return
      case 'closed':
        if (side.closed !== undefined) throw new Error('closed twice')
        side.closed = { code: event.code, byPeer: event.byPeer }
        return
      default:
    }
  }

  #opened(side: Side, stream: Stream): void {
    if (side.name !== 'agent') throw new Error('a stream opened at the edge')
    const lane = this.lanes[laneOfOpening(stream.opening)]
    if (lane === undefined) throw new Error('a stream opened that nobody asked for')
    if (lane.agent !== undefined) throw new Error(`lane ${lane.index} opened twice`)
    lane.agent = stream
    side.lanes.set(stream, lane)
  }

  #laneOf(side: Side, stream: Stream, what: string): Lane {
    const lane = side.lanes.get(stream)
    if (lane === undefined) throw new Error(`${what} for a stream that nobody knows`)
    if (side.closed !== undefined) throw new Error(`${what} after the session had closed`)
    if (isGone(lane, side.name)) throw new Error(`${what} for lane ${lane.index} after its reset`)
    return lane
  }

  #halfOf(side: Side, stream: Stream, what: string): Lane['up'] {
    const lane = this.#laneOf(side, stream, what)
    return side.name === 'edge' ? lane.down : lane.up
  }

  /** The agent may refuse a stream while its consumers are behind with as many as it may have, also with ended ones. */
  get #agentIsFull(): boolean {
    if (this.lanes.length < this.settings.maxStreams) return false
    return this.lanes.filter(isKept).length >= this.settings.maxStreams
  }

  #wasReset(side: Side, stream: Stream, code: string): void {
    const lane = this.#laneOf(side, stream, 'reset')
    const byPeer = side.name === 'edge' ? lane.agentReset : lane.edgeReset
    const isOver = this.edge.closed !== undefined || this.agent.closed !== undefined || side.session.ended
    const isRefused = code === 'SESSION_FULL' && lane.agent === undefined && this.#agentWasFull
    if (!byPeer && !isOver && !isRefused) throw new Error(`lane ${lane.index} was reset by nobody`)
    if (side.name === 'edge') lane.edgeTold = true
    else lane.agentTold = true
  }
}

function isKept(lane: Lane): boolean {
  if (lane.agent === undefined || isGone(lane, 'agent')) return false
  return !lane.down.ended || !lane.up.endSeen || lane.up.waiting > 0
}

/** Of TLS, RFC 8446 §5.1. */
const RECORD_BYTES = 16 * 1024

function recordsOf(buffers: readonly Uint8Array[]): Uint8Array[] {
  const all = Buffer.concat(buffers)
  return Array.from({ length: Math.ceil(all.length / RECORD_BYTES) }, (_, index) => {
    return all.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES)
  })
}
