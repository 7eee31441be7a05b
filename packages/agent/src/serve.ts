import type { Socket } from 'node:net'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type { Code } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { toDuplex } from '@engawa/shared/stream/duplex'
import { splice } from '@engawa/shared/stream/splice'
import { decodeOpening } from '@engawa/shared/wire/opening'
import { type Delivery, deliver, failureOf } from './deliver/deliver.ts'
import { FolderService } from './deliver/folder.ts'
import type { Loopback } from './deliver/loopback.ts'
import { Outgoing } from './deliver/outgoing.ts'
import { proxyHeader } from './deliver/proxy.ts'
import { Reach } from './deliver/reach.ts'
import type { Published } from './tunnels.ts'

/** How long a service may take to answer a connection, milliseconds. contract.md: then the visitor gets 504 */
const CONNECT_MS = 10_000
/** After an answer, how long the line must be quiet to count as idle, milliseconds. */
const QUIET_MS = 500
const DRAIN_LOOK_MS = 50

export interface ServeSettings {
  readonly find: (service: number) => Published | undefined
  /** Never served out of a folder. */
  readonly hidden?: readonly string[]
  /** For `--visitor-address loopback`. */
  readonly visitors?: Loopback
  /** The service was tried: reached, or why not. */
  readonly onTried: (published: Published, failure: Code | undefined) => void
  readonly connectMs?: number
}

type Traffic = Published['traffic']

/** A stream that has reached its service. */
interface Live {
  readonly published: Published
  /** The last bytes came from the service. */
  answered: boolean
  quietSince: number
}

/** A connection to a service that is still being made. */
interface Attempt {
  leftMs: number
  startedAt: number
  timer: NodeJS.Timeout | undefined
  expire: () => void
}

/** Brings each stream to the service that it names. It reaches nothing but what this agent publishes. protocol.md [O1] */
export class Server {
  readonly #settings: ServeSettings
  readonly #attempts: Set<Attempt> = new Set()
  readonly #live: Set<Live> = new Set()
  readonly #told: WeakMap<Published, string> = new WeakMap()
  /** Made once for each tunnel: a visitor's connection should not wait for it. */
  readonly #reaches: WeakMap<Published, Reach> = new WeakMap()
  readonly #outgoing: Outgoing = new Outgoing()
  readonly #folders: WeakMap<Published, FolderService> = new WeakMap()
  #paused = false
  #draining = false

  constructor(settings: ServeSettings) {
    this.#settings = settings
  }

  opened(stream: Stream): void {
    if (this.#draining) return stream.reset('AGENT_DRAINING')
    const opening = decodeOpening(stream.opening)
    const published = this.#settings.find(opening.service)
    if (published === undefined || !carries(published, opening.portIndex)) return stream.reset('SERVICE_UNKNOWN')
    const { place } = published.wish.target
    if (place.kind === 'folder') return this.#serveFolder(published, stream, place.path)
    const reach = this.#reaches.get(published) ?? new Reach(published.wish.reach)
    this.#reaches.set(published, reach)
    if (this.#outgoing.has(opening.visitor) && opening.public.port === portOf(published, opening.portIndex)) {
      stream.reset('SERVICE_LOOP')
      return this.#settings.onTried(published, 'SERVICE_LOOP')
    }
    const { proxyProtocol, visitorAddress } = published.wish
    const hello = proxyProtocol && proxyHeader(proxyProtocol, opening)
    const seat = visitorAddress && this.#settings.visitors?.enter(opening.visitor)
    const delivery = deliver(published.wish, { portIndex: opening.portIndex, reach, from: seat?.address })
    this.#outgoing.add(delivery.socket)
    if (seat !== undefined) delivery.socket.once('close', () => seat.leave())
    this.#reach(published, stream, { ...delivery, hello })
  }

  /** Time stands still while the session has no carrier. */
  pause(): void {
    this.#paused = true
    for (const attempt of this.#attempts) {
      clearTimeout(attempt.timer)
      attempt.leftMs -= performance.now() - attempt.startedAt
    }
  }

  resume(): void {
    this.#paused = false
    for (const attempt of this.#attempts) this.#run(attempt)
  }

  #run(attempt: Attempt): void {
    attempt.startedAt = performance.now()
    attempt.timer = setTimeout(attempt.expire, Math.max(0, attempt.leftMs))
  }

  #reach(
    published: Published,
    stream: Stream,
    { socket, ready, hello }: Delivery & { hello: Uint8Array | undefined },
  ): void {
    const early: Uint8Array[] = []
    let ended = false
    const settle = (failure: Code | undefined): void => {
      clearTimeout(attempt.timer)
      this.#attempts.delete(attempt)
      socket.off(ready, reached).off('error', failed)
      if (failure === undefined) return
      socket.on('error', () => {})
      socket.destroy()
      stream.handler = undefined
      if (failure === 'CANCELLED') return
      stream.reset(failure)
      this.#settings.onTried(published, failure)
    }
    const failed = (error: unknown): void => settle(failureOf(error))
    const reached = (): void => {
      settle(undefined)
      this.#settings.onTried(published, undefined)
      stream.accept()
      if (hello !== undefined) socket.write(hello)
      this.#splice(published, stream, socket)
      for (const bytes of early) stream.handler?.data(bytes)
      if (ended) stream.handler?.end()
    }
    const attempt: Attempt = {
      leftMs: this.#settings.connectMs ?? CONNECT_MS,
      startedAt: 0,
      timer: undefined,
      expire: () => settle('SERVICE_TIMEOUT'),
    }
    // What comes before the service is reached waits here: at most the stream's first credit.
    stream.handler = {
      data: (bytes) => void early.push(new Uint8Array(bytes)),
      end: () => {
        ended = true
      },
      reset: () => settle('CANCELLED'),
      drain: () => {},
    }
    this.#attempts.add(attempt)
    if (!this.#paused) this.#run(attempt)
    socket.once(ready, reached).once('error', failed)
  }

  #splice(published: Published, stream: Stream, socket: Socket): void {
    const { onBytes, onClosed } = this.#follow(published)
    splice(socket, stream, { broken: 'SERVICE_BROKE', onBytes, onClosed })
  }

  /** A folder needs no way to it: this process is its service. */
  #serveFolder(published: Published, stream: Stream, path: string): void {
    let folder = this.#folders.get(published)
    if (folder === undefined) {
      folder = new FolderService({
        path,
        listing: published.wish.listing === true,
        hidden: this.#settings.hidden ?? [],
        onTried: (isThere) => this.#settings.onTried(published, isThere ? undefined : 'SERVICE_UNREACHABLE'),
      })
      this.#folders.set(published, folder)
    }
    const { onBytes, onClosed } = this.#follow(published)
    stream.accept()
    folder.take(toDuplex(stream, (fromVisitor, toVisitor) => onBytes(toVisitor, fromVisitor)).once('close', onClosed))
  }

  /** Counts a stream that has reached its service, until it is closed. */
  #follow(published: Published): { onBytes: (fromService: number, toService: number) => void; onClosed: () => void } {
    const { traffic } = published
    traffic.total++
    traffic.open++
    const live: Live = { published, answered: true, quietSince: performance.now() }
    this.#live.add(live)
    return {
      onBytes: (fromService, toService) => {
        traffic.sent += fromService
        traffic.received += toService
        live.answered = fromService > 0
        live.quietSince = performance.now()
      },
      onClosed: () => {
        this.#live.delete(live)
        traffic.open--
      },
    }
  }

  /** The traffic of a tunnel if it has changed since this was last asked. */
  changedTraffic(published: Published): Traffic | undefined {
    const now = published.traffic
    const text = JSON.stringify(now)
    const told = this.#told.get(published)
    if (told === text || (told === undefined && now.total === 0)) return undefined
    this.#told.set(published, text)
    return { ...now }
  }

  /** Takes nothing new; resolves when what runs is finished, at most after `mostMs`. */
  async drain(mostMs: number): Promise<void> {
    this.#draining = true
    const until = performance.now() + mostMs
    while (this.busy && performance.now() < until) await setTimeoutPromise(DRAIN_LOOK_MS)
  }

  close(): void {
    this.#draining = true
    for (const attempt of this.#attempts) clearTimeout(attempt.timer)
  }

  /**
   * An HTTP connection whose service has answered and that has been quiet since is idle: keep-alive would hold every
   * drain up for nothing.
   */
  get busy(): boolean {
    for (const { published, answered, quietSince } of this.#live) {
      const http = published.wish.target.protocol === 'http'
      if (!(http && answered && performance.now() - quietSince > QUIET_MS)) return true
    }
    return this.#attempts.size > 0
  }
}

function portOf({ wish }: Published, portIndex: number): number | undefined {
  const { place } = wish.target
  return place.kind === 'port' ? place.port + portIndex : undefined
}

function carries({ wish, state }: Published, portIndex: number): boolean {
  const { place } = wish.target
  // A TCP connection to the number of a UDP service would reach something that nobody has named.
  return state !== 'refused' && wish.target.protocol !== 'udp' && portIndex < (place.kind === 'port' ? place.count : 1)
}
