import type { Code } from '@engawa/shared/errors'
import { Metrics, type Row, Tally } from '@engawa/shared/metrics'
import type { SessionFigures } from '@engawa/shared/mux/events'
import type { Session } from '@engawa/shared/mux/session'
import type { Published } from './tunnels.ts'
import { version } from './version.ts'

/** Where the figures are read when somebody looks. */
export interface FigureSources {
  /** Undefined: none stands. */
  readonly session: () => Session | undefined
  /** Those that the edge finishes after an upgrade, too. */
  readonly sessions: () => readonly Session[]
  /** No carrier proves that it lives. */
  readonly away: () => boolean
  readonly tunnels: () => readonly Published[]
}

/** What a session had counted when it was last looked at. */
type Seen = Pick<SessionFigures, 'resentBytes' | 'carriersLost' | 'framesDropped' | 'datagramsDropped'>

const NOTHING: Seen = { resentBytes: 0, carriersLost: 0, framesDropped: 0, datagramsDropped: 0 }

/** `/metrics` of an agent. */
export class AgentFigures {
  readonly #metrics = new Metrics()
  readonly #sources: FigureSources
  readonly #seen = new WeakMap<Session, Seen>()
  readonly #resumes = new Tally()
  readonly #resent = new Tally()
  readonly #lost = new Tally()
  readonly #drops = new Tally()
  readonly #failures = new Tally()

  constructor(sources: FigureSources) {
    this.#sources = sources
    this.#describeLink(sources)
    this.#describeTunnels(sources)
  }

  text(): Promise<string> {
    return this.#metrics.text()
  }

  resumed(): void {
    this.#resumes.add({})
  }

  /** A visitor came in vain: the service of this tunnel was not reached. */
  failed(tunnel: string, code: Code): void {
    this.#failures.add({ tunnel, code })
  }

  /** Adds what the sessions have counted since the last look; before one goes, too. */
  settle(): void {
    for (const session of this.#sources.sessions()) this.#settle(session)
  }

  #settle(session: Session): void {
    const { resentBytes, carriersLost, framesDropped, datagramsDropped } = session.figures
    const seen = this.#seen.get(session) ?? NOTHING
    this.#resent.add({}, resentBytes - seen.resentBytes)
    this.#lost.add({}, carriersLost - seen.carriersLost)
    this.#drops.add({ reason: 'frame' }, framesDropped - seen.framesDropped)
    this.#drops.add({ reason: 'datagram' }, datagramsDropped - seen.datagramsDropped)
    this.#seen.set(session, { resentBytes, carriersLost, framesDropped, datagramsDropped })
  }

  #settled(tally: Tally): Row[] {
    this.settle()
    return tally.rows
  }

  #describeLink({ session, away }: FigureSources): void {
    const m = this.#metrics
    const carriers = (read: (carrier: Session['carriers'][number]) => number | undefined) => (): Row[] =>
      (session()?.carriers ?? []).flatMap((carrier): Row[] => {
        const value = read(carrier)
        return value === undefined ? [] : [[value, { carrier: carrier.number }]]
      })
    m.gauge({
      name: 'engawa_agent_info',
      help: 'The version, as a label.',
      labels: ['version'],
      read: () => [[1, { version: version() }]],
    })
    m.gauge({
      name: 'engawa_agent_connected',
      help: '1 while a session stands and a carrier is there.',
      read: () => [[session() !== undefined && !away() ? 1 : 0]],
    })
    m.gauge({
      name: 'engawa_agent_carriers',
      help: 'Carriers to the edge.',
      read: () => [[session()?.carriers.length ?? 0]],
    })
    m.gauge({
      name: 'engawa_agent_carrier_rtt_seconds',
      help: 'Round trip of a carrier, smoothed.',
      labels: ['carrier'],
      read: carriers(({ rttMs }) => (rttMs === undefined ? undefined : rttMs / 1000)),
    })
    m.gauge({
      name: 'engawa_agent_carrier_in_flight_bytes',
      help: 'Sent on a carrier and not acknowledged yet.',
      labels: ['carrier'],
      read: carriers(({ inFlightBytes }) => inFlightBytes),
    })
    m.gauge({
      name: 'engawa_agent_streams',
      help: 'Open streams.',
      read: () => [[session()?.figures.streams ?? 0]],
    })
    m.counter({
      name: 'engawa_agent_resumes_total',
      help: 'How often the session came back with its streams.',
      read: () => this.#resumes.rows,
    })
    m.counter({
      name: 'engawa_agent_resent_bytes_total',
      help: 'Sent again after a carrier was lost.',
      read: () => this.#settled(this.#resent),
    })
    m.counter({
      name: 'engawa_agent_carriers_lost_total',
      help: 'Carriers that died.',
      read: () => this.#settled(this.#lost),
    })
    m.counter({
      name: 'engawa_agent_drops_total',
      help: 'Dropped by reason: datagram (no room towards the edge), frame (of a stream that is over).',
      labels: ['reason'],
      read: () => this.#settled(this.#drops),
    })
  }

  #describeTunnels({ tunnels }: FigureSources): void {
    const m = this.#metrics
    const each = (read: (tunnel: Published) => readonly Row[]) => () => tunnels().flatMap(read)
    m.gauge({
      name: 'engawa_agent_tunnels',
      help: 'Tunnels by state: bound, waiting, refused.',
      labels: ['tunnel', 'state'],
      read: each(({ name, state }) => [[1, { tunnel: name, state }]]),
    })
    m.gauge({
      name: 'engawa_agent_tunnel_open',
      help: 'Connections or flows that are open.',
      labels: ['tunnel'],
      read: each(({ name, traffic }) => [[traffic.open, { tunnel: name }]]),
    })
    m.counter({
      name: 'engawa_agent_tunnel_visits_total',
      help: 'Connections or flows.',
      labels: ['tunnel'],
      read: each(({ name, traffic }) => [[traffic.total, { tunnel: name }]]),
    })
    m.counter({
      name: 'engawa_agent_tunnel_bytes_total',
      help: 'Payload from visitors (received) and to them (sent).',
      labels: ['tunnel', 'direction'],
      read: each(({ name, traffic }) => [
        [traffic.received, { tunnel: name, direction: 'received' }],
        [traffic.sent, { tunnel: name, direction: 'sent' }],
      ]),
    })
    m.counter({
      name: 'engawa_agent_services_failed_total',
      help: 'How often a service was not reached, by code (docs/errors.md).',
      labels: ['tunnel', 'code'],
      read: () => this.#failures.rows,
    })
    m.counter({
      name: 'engawa_agent_tunnel_datagrams_dropped_total',
      help: 'Datagrams that had no room.',
      labels: ['tunnel'],
      read: each(({ name, traffic }) => [[traffic.dropped, { tunnel: name }]]),
    })
  }
}
