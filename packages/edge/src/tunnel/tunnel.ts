import type { Stream } from '@engawa/shared/mux/events'
import type { RequestSummary } from '@engawa/shared/wire/control'
import type { Opening, Protocol } from '@engawa/shared/wire/opening'
import type { AddressRules } from '../guard/rules.ts'

/** Datagrams of one visitor on their way to a service, and back. protocol.md §9 */
export interface Flow {
  /** False when it was dropped. Keeps `bytes` for a moment. */
  send(bytes: Uint8Array): boolean
  close(): void
}

/** Told of what a flow brings back. */
export interface FlowHandler {
  /** `bytes` are gone after the call. */
  datagram(bytes: Uint8Array): void
  /** Its session is over. */
  ended(): void
}

/** One agent's live session, as those see it who want a stream to a service. */
export interface Link {
  readonly agent: string
  /** Session id, base64url. */
  readonly session: string
  /** No carrier at the moment: timers of what runs over it stand still. */
  readonly paused: boolean
  /** Calls back on each change of `paused`; the answer ends the subscription. */
  onPause(listener: (paused: boolean) => void): () => void
  /** Throws SESSION_FULL. */
  open(opening: Opening): Stream
  /** Throws SESSION_FULL. */
  openFlow(opening: Opening, handler: FlowHandler): Flow
  /** Tells the agent of a finished request; dropped under load. */
  summarize(summary: RequestSummary): void
}

/** Where a tunnel leads right now. */
export interface Live {
  readonly link: Link
  /** The agent's own id for the service, for OPEN. */
  readonly service: number
}

export interface Traffic {
  /** Payload bytes from and to visitors. */
  received: number
  sent: number
  /** Requests (HTTP), connections (TCP) or flows (UDP) so far, and those open now. */
  total: number
  open: number
  /** Datagrams that had no room, no agent, or came from too many visitors. */
  dropped: number
}

export interface Rewrite {
  /** The tunnel's own path is taken off. */
  readonly strip: boolean
  /** Put before what is left; empty or `/PATH`. */
  readonly prefix: string
}

/** A published service: a public name or port, and the agent and service behind it. It outlives the agent's sessions as long as its lease. */
export interface Tunnel {
  readonly agent: string
  readonly name: string
  readonly protocol: Protocol
  /** Every host that leads here, lower case, without port. Empty for ports. */
  readonly hosts: readonly string[]
  /** Public ports, both inclusive; undefined for host names. */
  readonly ports: readonly [from: number, to: number] | undefined
  readonly path: string | undefined
  /** As shown to people: `https://blog.example.com`, `example.com:22022`. */
  readonly public: string
  readonly urls: readonly string[]
  /** What the agent said stands behind it. */
  readonly target: string
  /** The Host that the service is asked by; undefined: the visitor's. */
  readonly hostHeader: string | undefined
  /** What becomes of a request's path. */
  readonly rewrite: Rewrite
  /** The service speaks HTTP/2 with prior knowledge. */
  readonly h2c: boolean
  /** Whom it takes; undefined: everybody. */
  readonly rules: AddressRules | undefined
  /** Answered at `/.well-known/engawa/TOKEN`. */
  readonly check: string | undefined
  /** Undefined while the agent is away, also while its session has no carrier. */
  readonly live: Live | undefined
  /** Monotonic milliseconds when it was last live; 0 if never since the edge's start. */
  readonly lastLiveAt: number
  readonly traffic: Traffic
  /** Others may stand behind the same name. */
  readonly balanced: boolean
}

/** A range that must begin or cease to listen. An HTTP tunnel with ports speaks HTTP there, whatever the Host says. */
export interface PortChange {
  readonly tunnel: Tunnel
  readonly listen: boolean
}

/** Who is published where. Written by attach.ts alone; listeners and the admin API read it. */
export interface TunnelTable {
  byHost(host: string, path: string): Tunnel | undefined
  /** Another of those that share the name of `tunnel`, which has failed: one that is there, well, and not in `tried`. */
  another(tunnel: Tunnel, tried: ReadonlySet<Tunnel>): Tunnel | undefined
  /** Every tunnel of a host, whatever its path and protocol. */
  named(host: string): readonly Tunnel[]
  /** The one HTTP tunnel that answers at the bare address: the chosen one, else where the contract gives one. */
  bare(): Tunnel | undefined
  byPort(protocol: 'tcp' | 'udp', port: number): Tunnel | undefined
  all(): readonly Tunnel[]
  /**
   * Resolves at once for a live tunnel, else waits at most 10 s for its agent, if it was there within the grace or the edge is young.
   * Rejects with AGENT_AWAY (`EngawaError`), at once when there is no hope or no room to wait (1,000 waiting, `bytes` of 16 MiB in all).
   */
  whenLive(tunnel: Tunnel, waiting?: { bytes?: number; signal?: AbortSignal }): Promise<Live>
  /**
   * Called at once for every range that is to listen now, and then with each change. `bound` is answered when what
   * the listener gives back has resolved: let it do so when the ports listen (or cannot).
   */
  onPorts(listener: (change: PortChange) => unknown): void
  /** Called when a tunnel's rules have changed. */
  onRules(listener: (tunnel: Tunnel) => void): void
}
