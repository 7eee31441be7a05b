import { X509Certificate } from 'node:crypto'
import { Durations, Metrics, type Row, Tally } from '@engawa/shared/metrics'
import type { AccessEntry } from '../access/entry.ts'
import type { Refused } from '../admit.ts'
import type { GateObserver } from '../identity/sessions.ts'
import type { AgentLink } from '../tunnel/attach.ts'
import type { TunnelTable } from '../tunnel/tunnel.ts'
import { version } from '../version.ts'

/** Where the figures are read when somebody looks. */
export interface FigureSources {
  readonly sessions: () => readonly AgentLink[]
  readonly table: Pick<TunnelTable, 'all'>
  /** Agents that are welcome. */
  readonly known: () => number
  /** Visitors' connections that are open. */
  readonly visitors: () => number
  /** PEM by what it is for. */
  readonly certificates: () => ReadonlyMap<string, string>
  readonly draining: () => boolean
}

/** Sessions count for themselves; what one had when it was last looked at. */
interface Seen {
  resentBytes: number
  carriersLost: number
  framesDropped: number
  datagramsDropped: number
}

/** `/metrics` of an edge. Requests are counted as they end, all else is read when somebody looks. */
export class EdgeFigures {
  readonly #metrics = new Metrics()
  readonly #requests = new Tally()
  readonly #refusals = new Tally()
  readonly #turnedAway = new Tally()
  readonly #bindings = new Tally()
  readonly #resumes = new Tally()
  readonly #awaySeconds = new Tally()
  readonly #resent = new Tally()
  readonly #lost = new Tally()
  readonly #drops = new Tally()
  readonly #answers = new Durations()
  readonly #seen = new WeakMap<AgentLink, Seen>()
  #sources: FigureSources | undefined

  /** Called with each request that is over. */
  readonly account = ({ status, by, tunnel, code, firstByteMs, ms }: AccessEntry): void => {
    this.#requests.add({ tunnel: tunnel ?? '', status, by })
    if (code !== undefined) this.#refusals.add({ code })
    this.#answers.observe(firstByteMs ?? ms)
  }

  /** Called with each visitor who is turned away without an answer of HTTP. */
  readonly refused: Refused = (protocol, code) => this.#turnedAway.add({ protocol, code })

  /** As `observer`, and counting. */
  watching<Observer extends GateObserver>(observer: Observer): Observer {
    return {
      ...observer,
      resumed: (link, awayMs, streams) => {
        this.#resumes.add({ agent: link.agent })
        this.#awaySeconds.add({ agent: link.agent }, awayMs / 1000)
        observer.resumed(link, awayMs, streams)
      },
      refused: (link, code) => {
        this.#bindings.add({ agent: link.agent, code })
        observer.refused(link, code)
      },
      offline: (link, code, reason) => {
        this.#settle(link)
        observer.offline(link, code, reason)
      },
    }
  }

  /** From now on there is something to read. */
  read(sources: FigureSources): void {
    this.#sources = sources
    const { sessions, table, known, visitors, certificates, draining } = sources
    const links = (read: (link: AgentLink) => readonly Row[]) => () => sessions().flatMap(read)
    const m = this.#metrics
    m.gauge({
      name: 'engawa_edge_info',
      help: 'The version, as a label.',
      labels: ['version'],
      read: () => [[1, { version: version() }]],
    })
    m.gauge({ name: 'engawa_edge_draining', help: '1 while it takes nothing new.', read: () => [[draining() ? 1 : 0]] })
    m.gauge({ name: 'engawa_edge_agents_known', help: 'Agents that have joined.', read: () => [[known()]] })
    m.gauge({
      name: 'engawa_edge_sessions',
      help: 'Sessions by state: online, or away within the grace.',
      labels: ['agent', 'state'],
      read: links((link) => [[1, { agent: link.agent, state: link.paused ? 'away' : 'online' }]]),
    })
    m.gauge({
      name: 'engawa_edge_carriers',
      help: 'Carriers of an agent.',
      labels: ['agent'],
      read: links((link) => [[link.carriers.length, { agent: link.agent }]]),
    })
    m.gauge({
      name: 'engawa_edge_carrier_rtt_seconds',
      help: 'Round trip of a carrier, smoothed.',
      labels: ['agent', 'carrier'],
      read: links((link) =>
        link.carriers.flatMap(({ number, rttMs }): Row[] =>
          rttMs === undefined ? [] : [[rttMs / 1000, { agent: link.agent, carrier: number }]],
        ),
      ),
    })
    m.gauge({
      name: 'engawa_edge_carrier_in_flight_bytes',
      help: 'Sent on a carrier and not acknowledged yet.',
      labels: ['agent', 'carrier'],
      read: links((link) =>
        link.carriers.map(({ number, inFlightBytes }): Row => [inFlightBytes, { agent: link.agent, carrier: number }]),
      ),
    })
    m.gauge({
      name: 'engawa_edge_streams',
      help: 'Open streams of an agent.',
      labels: ['agent'],
      read: links((link) => [[link.figures.streams, { agent: link.agent }]]),
    })
    m.gauge({
      name: 'engawa_edge_buffered_bytes',
      help: 'Kept until the agent has them.',
      labels: ['agent'],
      read: links((link) => [[link.figures.bufferedBytes, { agent: link.agent }]]),
    })
    m.counter({
      name: 'engawa_edge_resumes_total',
      help: 'Sessions that came back with their streams.',
      labels: ['agent'],
      read: () => this.#resumes.rows,
    })
    m.counter({
      name: 'engawa_edge_resumed_away_seconds_total',
      help: 'How long those had been away.',
      labels: ['agent'],
      read: () => this.#awaySeconds.rows,
    })
    m.counter({
      name: 'engawa_edge_resent_bytes_total',
      help: 'Sent again after a carrier was lost.',
      labels: ['agent'],
      read: () => this.#settled(this.#resent),
    })
    m.counter({
      name: 'engawa_edge_carriers_lost_total',
      help: 'Carriers that died.',
      labels: ['agent'],
      read: () => this.#settled(this.#lost),
    })
    m.counter({
      name: 'engawa_edge_drops_total',
      help: 'Dropped by reason: datagram (no room towards the agent), frame (of a stream that is over).',
      labels: ['reason'],
      read: () => this.#settled(this.#drops),
    })
    m.counter({
      name: 'engawa_edge_tunnel_datagrams_dropped_total',
      help: 'Datagrams of visitors that had no room, no agent, or came from too many.',
      labels: ['tunnel'],
      read: () => table.all().map(({ name, traffic }): Row => [traffic.dropped, { tunnel: name }]),
    })
    m.gauge({ name: 'engawa_edge_visitors', help: 'Open connections of visitors.', read: () => [[visitors()]] })
    m.gauge({
      name: 'engawa_edge_tunnel_up',
      help: '1 while the agent of a tunnel is there.',
      labels: ['tunnel', 'agent', 'protocol'],
      read: () =>
        table
          .all()
          .map(
            ({ name, agent, protocol, live }): Row => [live === undefined ? 0 : 1, { tunnel: name, agent, protocol }],
          ),
    })
    m.gauge({
      name: 'engawa_edge_tunnel_open',
      help: 'Requests, connections or flows that are open.',
      labels: ['tunnel'],
      read: () => table.all().map(({ name, traffic }): Row => [traffic.open, { tunnel: name }]),
    })
    m.counter({
      name: 'engawa_edge_tunnel_visits_total',
      help: 'Requests (HTTP), connections (TCP) or flows (UDP).',
      labels: ['tunnel', 'protocol'],
      read: () => table.all().map(({ name, protocol, traffic }): Row => [traffic.total, { tunnel: name, protocol }]),
    })
    m.counter({
      name: 'engawa_edge_tunnel_bytes_total',
      help: 'Payload from visitors (received) and to them (sent).',
      labels: ['tunnel', 'direction'],
      read: () =>
        table.all().flatMap(({ name, traffic }): Row[] => [
          [traffic.received, { tunnel: name, direction: 'received' }],
          [traffic.sent, { tunnel: name, direction: 'sent' }],
        ]),
    })
    m.counter({
      name: 'engawa_edge_requests_total',
      help: 'HTTP requests by status, and who answered: the service or the edge.',
      labels: ['tunnel', 'status', 'by'],
      read: () => this.#requests.rows,
    })
    m.counter({
      name: 'engawa_edge_refusals_total',
      help: 'HTTP requests that the edge answered itself, by code (docs/errors.md).',
      labels: ['code'],
      read: () => this.#refusals.rows,
    })
    m.counter({
      name: 'engawa_edge_visitors_refused_total',
      help: 'Connections and datagrams turned away without an answer of HTTP, and flows given up for others, by code (docs/errors.md).',
      labels: ['protocol', 'code'],
      read: () => this.#turnedAway.rows,
    })
    m.counter({
      name: 'engawa_edge_bindings_refused_total',
      help: 'Names and ports that an agent asked for in vain, by code (docs/errors.md).',
      labels: ['agent', 'code'],
      read: () => this.#bindings.rows,
    })
    m.histogram('engawa_edge_answer_seconds', 'From a request to the head of its answer.', this.#answers)
    m.gauge({
      name: 'engawa_edge_certificate_expiry_timestamp_seconds',
      help: 'When a certificate ends, seconds since 1970.',
      labels: ['certificate'],
      read: () => [...certificates()].map(([name, pem]): Row => [expiryOf(pem), { certificate: name }]),
    })
  }

  text(): Promise<string> {
    return this.#metrics.text()
  }

  #settled(tally: Tally): Row[] {
    for (const link of this.#sources?.sessions() ?? []) this.#settle(link)
    return tally.rows
  }

  /** Adds what a session has counted since it was last looked at. */
  #settle(link: AgentLink): void {
    const { resentBytes, carriersLost, framesDropped, datagramsDropped } = link.figures
    const seen = this.#seen.get(link) ?? { resentBytes: 0, carriersLost: 0, framesDropped: 0, datagramsDropped: 0 }
    const { agent } = link
    this.#resent.add({ agent }, resentBytes - seen.resentBytes)
    this.#lost.add({ agent }, carriersLost - seen.carriersLost)
    this.#drops.add({ reason: 'frame' }, framesDropped - seen.framesDropped)
    this.#drops.add({ reason: 'datagram' }, datagramsDropped - seen.datagramsDropped)
    this.#seen.set(link, { resentBytes, carriersLost, framesDropped, datagramsDropped })
  }
}

function expiryOf(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo) / 1000
}
