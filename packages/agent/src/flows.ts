import { type Code, codeOf } from '@engawa/shared/errors'
import { decodeOpening } from '@engawa/shared/wire/opening'
import { failureOf } from './deliver/deliver.ts'
import type { Loopback, Seat } from './deliver/loopback.ts'
import { Outgoing } from './deliver/outgoing.ts'
import { proxyHeader } from './deliver/proxy.ts'
import { Reach } from './deliver/reach.ts'
import { ServiceSocket } from './deliver/udp.ts'
import type { Published } from './tunnels.ts'

/** How long a flow may be idle where the edge did not say, milliseconds. */
const IDLE_MS = 60_000
/** Between two looks for idle flows, at most, milliseconds. */
const LOOK_MS = 5000

export interface FlowsSettings {
  readonly find: (service: number) => Published | undefined
  /** For `--visitor-address loopback`. */
  readonly visitors?: Loopback
  /** False when it was dropped. */
  readonly send: (flow: number, bytes: Uint8Array) => boolean
  readonly close: (flow: number) => void
  /** The service was tried: it answered, or why not. */
  readonly onTried: (published: Published, failure: Code | undefined) => void
}

interface Live {
  readonly published: Published
  readonly socket: ServiceSocket
  /** PROXY protocol: before each datagram. */
  readonly hello: Buffer | undefined
  readonly seat: Seat | undefined
  lastAt: number
  /** Ends what is known of its near end. */
  forget: (() => void) | undefined
}

/** Brings each flow of datagrams to the service that it names, by a socket of its own. protocol.md §9 */
export class Flows {
  readonly #settings: FlowsSettings
  readonly #live: Map<number, Live> = new Map()
  readonly #outgoing: Outgoing = new Outgoing()
  readonly #timer: NodeJS.Timeout

  constructor(settings: FlowsSettings) {
    this.#settings = settings
    this.#timer = setInterval(() => this.#closeIdle(), LOOK_MS).unref()
  }

  get size(): number {
    return this.#live.size
  }

  /** A datagram has come; `opening` with the first ones of a flow. */
  received(flow: number, opening: Uint8Array | undefined, bytes: Uint8Array): void {
    const live = this.#live.get(flow) ?? this.#open(flow, opening)
    if (live === undefined) return this.#settings.close(flow)
    const { traffic } = live.published
    live.lastAt = performance.now()
    if (live.socket.send(live.hello === undefined ? bytes : Buffer.concat([live.hello, bytes])))
      traffic.received += bytes.length
    else traffic.dropped++
  }

  /** The edge has closed it. */
  closed(flow: number): void {
    const live = this.#live.get(flow)
    if (live === undefined) return
    this.#live.delete(flow)
    live.published.traffic.open--
    live.seat?.leave()
    live.forget?.()
    live.socket.close()
  }

  /** The session is over, and all its flows with it. */
  clear(): void {
    for (const flow of this.#live.keys()) this.closed(flow)
  }

  close(): void {
    clearInterval(this.#timer)
    this.clear()
  }

  #open(flow: number, opening: Uint8Array | undefined): Live | undefined {
    const { find, onTried, send } = this.#settings
    const asked = opening === undefined ? undefined : openingOf(opening)
    const published = asked === undefined ? undefined : find(asked.service)
    if (asked === undefined || published === undefined || published.state === 'refused') return undefined
    const { target, reach, proxyProtocol, visitorAddress } = published.wish
    const { place } = target
    if (target.protocol !== 'udp' || place.kind !== 'port' || asked.portIndex >= place.count) return undefined
    const { traffic } = published
    if (this.#outgoing.has(asked.visitor) && asked.public.port === place.port + asked.portIndex) {
      onTried(published, 'SERVICE_LOOP')
      traffic.dropped++
      return undefined
    }
    const seat = visitorAddress && this.#settings.visitors?.enter(asked.visitor)
    const service = { host: place.host, port: place.port + asked.portIndex, from: seat?.address }
    const live: Live = {
      published,
      seat,
      hello: proxyProtocol && proxyHeader(proxyProtocol, asked),
      forget: undefined,
      socket: new ServiceSocket(service, new Reach(reach), {
        bound: (address, port) => {
          live.forget = this.#outgoing.addEnd(address, port)
        },
        received: (bytes) => {
          live.lastAt = performance.now()
          onTried(published, undefined)
          if (send(flow, bytes)) traffic.sent += bytes.length
          else traffic.dropped++
        },
        failed: (error) => onTried(published, failureOf(error)),
      }),
      lastAt: performance.now(),
    }
    traffic.total++
    traffic.open++
    this.#live.set(flow, live)
    return live
  }

  #closeIdle(): void {
    const now = performance.now()
    for (const [flow, { published, lastAt }] of this.#live) {
      if (now - lastAt < 2 * (published.bound?.idleMs ?? IDLE_MS)) continue
      this.closed(flow)
      this.#settings.close(flow)
    }
  }
}

function openingOf(bytes: Uint8Array): ReturnType<typeof decodeOpening> | undefined {
  try {
    return decodeOpening(bytes)
  } catch (error) {
    if (codeOf(error) === 'PROTOCOL_VIOLATION') return undefined
    throw error
  }
}
