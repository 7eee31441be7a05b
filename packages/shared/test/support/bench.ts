import type { Millis, SessionEvent, Stream } from '../../src/mux/events.ts'
import { Session, type SessionSettings } from '../../src/mux/session.ts'
import { decodeAll, encode, encodeAll, type Frame, ledgeredBytes } from './frames.ts'

type Of<Type extends string> = Extract<SessionEvent, { type: Type }>
type FrameOf<Type extends Frame['type']> = Extract<Frame, { type: Type }>

/** One session on the bench: the test is its peer, frame by frame, and its clock. */
export class Bench {
  now: Millis = 10_000
  readonly session: Session
  /** All frames that it ever sent, per carrier. */
  readonly said = new Map<number, Frame[]>()
  readonly events: SessionEvent[] = []
  readonly #buffered = new Map<number, Buffer>()
  readonly #ledgered = new Map<number, number>()

  constructor(side: 'edge' | 'agent', settings: Partial<SessionSettings> = {}) {
    this.session = new Session({ side, maxStreams: 2048, peerCredit: 16_384, ownCredit: 16_384, ...settings }, this.now)
    this.attach(1)
  }

  attach(carrier: number): void {
    this.session.addCarrier(carrier, this.now)
    this.collect()
  }

  /** The peer says this on a carrier. */
  say(carrier: number, ...frames: readonly Frame[]): void {
    this.feed(carrier, encodeAll(...frames))
  }

  feed(carrier: number, bytes: Uint8Array): void {
    this.session.receive(carrier, bytes, this.now)
    this.collect()
  }

  /** The frames that the session sends now on a carrier. */
  hear(carrier = 1, mostBytes?: number): Frame[] {
    const bytes: Uint8Array[] = [this.#buffered.get(carrier) ?? Buffer.alloc(0)]
    for (let turns = 0; turns < 10_000; turns++) {
      const { buffers: got } = this.session.pull(carrier, this.now, mostBytes)
      if (got.length === 0) break
      bytes.push(...got)
      if (mostBytes !== undefined) break
    }
    this.collect()
    const all = Buffer.concat(bytes)
    const { frames, rest } = decodeAll(all)
    this.#buffered.set(carrier, all.subarray(all.length - rest))
    this.said.set(carrier, [...(this.said.get(carrier) ?? []), ...frames])
    this.#ledgered.set(carrier, (this.#ledgered.get(carrier) ?? 0) + ledgeredBytes(frames))
    return frames
  }

  /** What it sends now of one type. */
  hearOnly<Type extends Frame['type']>(type: Type, carrier = 1, mostBytes?: number): FrameOf<Type>[] {
    return this.hear(carrier, mostBytes).filter((frame): frame is FrameOf<Type> => frame.type === type)
  }

  /** Ledgered bytes that it has sent on a carrier: the ACK that covers everything. */
  sent(carrier = 1): number {
    return this.#ledgered.get(carrier) ?? 0
  }

  /** Acknowledges everything said so far on a carrier. */
  ack(carrier = 1): void {
    this.say(carrier, { type: 'ack', received: this.sent(carrier) })
  }

  /** Answers the PING of a new carrier and takes what else it says at first. */
  settle(carrier = 1): void {
    this.#answer(this.hear(carrier), carrier)
  }

  /** Time passes in small steps, as a healthy process has it; the peer is silent. */
  pass(ms: number, carriers: readonly number[] = [1]): Frame[] {
    const heard: Frame[] = []
    const until = this.now + ms
    while (this.now < until) {
      const due = this.session.deadline()
      this.now = due > this.now && due < until ? due : Math.min(until, this.now + 5)
      this.session.tick(this.now)
      this.collect()
      for (const carrier of carriers) heard.push(...this.hear(carrier))
    }
    return heard
  }

  /** Time passes at once, as after a suspended process. */
  jump(ms: number): void {
    this.now += ms
    this.session.tick(this.now)
    this.collect()
  }

  collect(): void {
    for (const event of this.session.takeEvents()) {
      // The reader's buffers belong to the caller again once events were taken.
      this.events.push(event.type === 'data' ? { ...event, bytes: Buffer.from(event.bytes) } : event)
    }
  }

  of<Type extends SessionEvent['type']>(type: Type): Of<Type>[] {
    return this.events.filter((event): event is Of<Type> => event.type === type)
  }

  /** All bytes that one stream has delivered. */
  bytesOf(stream: Stream): string {
    return Buffer.concat(this.of('data').flatMap((event) => (event.stream === stream ? [event.bytes] : []))).toString()
  }

  /** Agent: the stream that the peer opens with this id. */
  opened(id: number, carrier = 1, credit = 16_384): Stream {
    this.say(carrier, openFrame(id, credit))
    const event = this.of('opened').find(({ stream }) => stream.id === id)
    if (event === undefined) throw new Error(`stream ${id} did not open`)
    return event.stream
  }

  /** Edge: a stream whose OPEN has gone out. */
  open(carrier = 1): Stream {
    const stream = this.session.open(Buffer.alloc(46, 7))
    this.hear(carrier)
    return stream
  }

  get closed(): Of<'closed'> | undefined {
    return this.of('closed')[0]
  }

  #answer(frames: readonly Frame[], carrier: number): void {
    for (const frame of frames) if (frame.type === 'ping') this.say(carrier, { type: 'pong', token: frame.token })
  }
}

export function openFrame(id: number, credit = 16_384): Frame {
  return { type: 'open', stream: id, credit, opening: Buffer.alloc(46, id & 0xff) }
}

export function dataFrame(stream: number, offset: number, text: string | Uint8Array): Frame {
  return { type: 'data', stream, offset, bytes: typeof text === 'string' ? Buffer.from(text) : text }
}

export { encode }
