import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { EngawaError } from '@engawa/shared/errors'
import { type StreamDuplex, toDuplex } from '@engawa/shared/stream/duplex'
import { askHttp2 } from './http2-ask.ts'
import { isRepeatable, type Outgoing, type Upstream, type UpstreamEvents } from './upstream.ts'

/** What the edge takes of one answer, and of all on a connection, before they are read. */
const STREAM_WINDOW = 256 * 1024
const CONNECTION_WINDOW = 1024 * 1024
/** Fields of one answer. */
const MOST_FIELDS = 1000
/** Requests at once until the service has said how many it takes; fewer is not recommended by RFC 9113 §6.5.2. */
const STREAMS = 100
/** Connections for one visitor connection: enough for 100 requests at a service that takes 10 at once. */
const MOST = 10
const IDLE_MS = 60_000
/** What a visitor says twice is between it and its service, as over HTTP/1.1. Node has this for clients, too; its types say so of servers only. */
const DOUBLED_FIELDS = { strictSingleValueFields: false }
/** For a connection that is not needed any more to end in order. */
const FAREWELL_MS = 5000

/**
 * HTTP/2 connections to services, of one visitor connection: its requests share them, those of other visitors never
 * do. A further one opens only while the service takes no more requests at once on those there are.
 */
export class H2cPool {
  readonly #lines = new Set<Line>()
  /** How many requests at once a service takes, as its latest connection has said. */
  readonly #most = new Map<string, number>()

  /** Throws SESSION_FULL. */
  ask(asked: Outgoing, events: UpstreamEvents): Upstream {
    return this.#lineFor(asked).ask(asked, events)
  }

  /** The visitor is gone. */
  destroy(): void {
    for (const line of this.#lines) line.leave()
  }

  #lineFor({ service, open, responseHeadBytes }: Outgoing): Line {
    const lines = [...this.#lines].filter((line) => line.service === service && line.usable)
    // Past what they take requests wait in HTTP/2 itself, but only where the figure is known.
    const [roomiest] = lines.toSorted((a, b) => Number(b.settled) - Number(a.settled) || b.room - a.room)
    const free = lines.find(({ room }) => room > 0) ?? (lines.length >= MOST ? roomiest : undefined)
    if (free !== undefined) return free
    const line = new Line(toDuplex(open()), { service, most: this.#most.get(service) ?? STREAMS, responseHeadBytes })
    this.#lines.add(line)
    line.session.on('remoteSettings', () => this.#most.set(service, line.most))
    line.session.once('close', () => {
      this.#lines.delete(line)
      if (this.#lines.size === 0) this.#most.clear()
    })
    return line
  }
}

/** One connection to a service. */
class Line {
  readonly service: string
  readonly session: ClientHttp2Session
  readonly #duplex: StreamDuplex
  /** Why the stream below broke: its code says more than HTTP/2's. */
  #failure: EngawaError | undefined
  /** Requests at once. */
  most: number
  /** The service has said so itself. */
  settled = false
  #streams = 0
  #idle: NodeJS.Timeout | undefined

  constructor(
    duplex: StreamDuplex,
    { service, most, responseHeadBytes }: { service: string; most: number; responseHeadBytes: number },
  ) {
    this.service = service
    this.most = most
    this.#duplex = duplex
    duplex.on('error', (error) => {
      if (error instanceof EngawaError) this.#failure = error
    })
    this.session = connect('http://service', {
      createConnection: () => duplex,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: responseHeadBytes },
      maxHeaderListPairs: MOST_FIELDS,
      maxReservedRemoteStreams: 0,
      ...DOUBLED_FIELDS,
    })
    this.session.once('connect', () => {
      if (!this.session.destroyed) this.session.setLocalWindowSize(CONNECTION_WINDOW)
    })
    this.session.on('error', () => {})
    this.session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      this.settled = true
      this.most = Math.max(1, maxConcurrentStreams ?? STREAMS)
    })
    this.session.on('stream', (pushed: ClientHttp2Stream) => pushed.close(constants.NGHTTP2_REFUSED_STREAM))
    this.session.once('close', () => clearTimeout(this.#idle))
  }

  get usable(): boolean {
    return !this.session.closed && !this.session.destroyed && !this.#duplex.destroyed
  }

  /** How many more requests it takes now. */
  get room(): number {
    return this.most - this.#streams
  }

  ask(asked: Outgoing, events: UpstreamEvents): Upstream {
    clearTimeout(this.#idle)
    this.#streams++
    const { stream } = this.#duplex
    const before = stream.received
    return askHttp2(this.session, asked, {
      ...events,
      settled: this.settled,
      over: () => {
        if (--this.#streams > 0) return
        if (this.session.closed) this.#farewell()
        else this.#idle = setTimeout(() => this.leave(), IDLE_MS).unref()
      },
      broke: (error, refused) => {
        // It died idle, and its end and our request met on the way.
        const diedIdle = before > 0 && stream.received === before
        events.broke(this.#failure ?? error, (refused && !asked.hasBody) || (diedIdle && isRepeatable(asked)))
      },
      retired: () => this.leave(),
    })
  }

  /** Takes nothing new; what runs may finish, or is ended by who asked for it. */
  leave(): void {
    clearTimeout(this.#idle)
    if (this.session.destroyed || this.session.closed) return
    this.session.close()
    if (this.#streams === 0) this.#farewell()
  }

  #farewell(): void {
    const timer = setTimeout(() => this.#duplex.destroy(new EngawaError('CANCELLED')), FAREWELL_MS).unref()
    this.#duplex.once('close', () => clearTimeout(timer))
  }
}
