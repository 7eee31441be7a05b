import { formatAddress } from '@engawa/shared/addresses'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import type { Pump } from '@engawa/shared/carrier/pump'
import type { EngawaError } from '@engawa/shared/errors'
import type { Session } from '@engawa/shared/mux/session'
import type { Endpoint } from '@engawa/shared/wire/opening'
import { checkPublic, settingsOf } from './check.ts'
import type { CheckResult } from './events.ts'
import { probe } from './probe.ts'
import type { Published } from './tunnels.ts'
import { version } from './version.ts'

/** What `agent status --json` prints; times in milliseconds. `undefined` fields were not measured. */
export interface Status {
  readonly agent: string
  readonly pid: number
  readonly version: string
  readonly up_ms: number
  /** `online` only if a carrier has proved its life since this was asked. */
  readonly link: 'online' | 'silent' | 'away' | 'connecting' | 'ended'
  readonly edge?: string | undefined
  readonly away_ms?: number | undefined
  readonly ended?: { readonly code: string; readonly message: string; readonly ja?: string | undefined } | undefined
  readonly streams: number
  readonly carriers: readonly StatusCarrier[]
  /** Sessions with processes of the edge that were upgraded: they end with the streams that run there. */
  readonly former: readonly { readonly streams: number; readonly carriers: readonly StatusCarrier[] }[]
  readonly tunnels: readonly StatusTunnel[]
}

export interface StatusCarrier {
  readonly carrier: number
  readonly family?: 'IPv4' | 'IPv6' | undefined
  readonly remote?: string | undefined
  readonly local?: string | undefined
  readonly rtt_ms?: number | undefined
  readonly in_flight_bytes: number
  /** Stream bytes that it carried for one that was lost. */
  readonly resent_bytes: number
  /** Since the last byte came. */
  readonly heard_ms: number
  readonly suspect: boolean
}

export interface StatusTunnel {
  readonly name: string
  readonly state: string
  readonly public?: string | undefined
  readonly target: string
  /** Tried now: the last stretch of the way. */
  readonly service: {
    readonly reachable: boolean
    readonly ms: number
    /** How old this finding is. */
    readonly age_ms: number
    readonly code?: string | undefined
  }
  /** Measured now. */
  readonly check?: CheckResult | undefined
  readonly traffic: Published['traffic']
}

export interface Measured {
  /** When the carriers were asked for a sign of life, monotonic milliseconds. */
  readonly askedAt: number
  readonly agent: string
  readonly edge: string | undefined
  readonly session: Session | undefined
  readonly carrier: (number: number) => Carrier | undefined
  readonly former: readonly Pump[]
  readonly awayMs: number | undefined
  readonly ending: EngawaError | undefined
  readonly upMs: number
  readonly tunnels: readonly Published[]
}

/** Measures: tries every service and every public address now, and tells a carrier's last sign of life, not its last known state. */
export async function measure(of: Measured): Promise<Status> {
  const tunnels = await Promise.all(of.tunnels.map((published) => measureTunnel(published, of)))
  const carriers = carriersOf(of.session, of.carrier)
  const { ending } = of
  return {
    agent: of.agent,
    pid: process.pid,
    version: version(),
    up_ms: Math.round(of.upMs),
    link: linkOf(of, carriers),
    edge: of.edge,
    away_ms: of.awayMs === undefined ? undefined : Math.round(of.awayMs),
    ended: ending && { code: ending.code, message: ending.message, ja: ending.ja },
    streams: of.session?.figures.streams ?? 0,
    carriers,
    former: of.former.map((pump) => ({
      streams: pump.session.figures.streams,
      carriers: carriersOf(pump.session, (number) => pump.carrier(number)),
    })),
    tunnels,
  }
}

function carriersOf(session: Session | undefined, find: Measured['carrier']): StatusCarrier[] {
  return (session?.carriers ?? []).map((state): StatusCarrier => {
    const carrier = find(state.number)
    return {
      carrier: state.number,
      family: carrier && familyOf(carrier.remote),
      remote: carrier && formatEndpoint(carrier.remote),
      local: carrier && formatEndpoint(carrier.local),
      rtt_ms: state.rttMs === undefined ? undefined : Math.round(state.rttMs * 10) / 10,
      in_flight_bytes: state.inFlightBytes,
      resent_bytes: state.resentBytes,
      heard_ms: Math.round(performance.now() - state.lastReadAt),
      suspect: state.suspect,
    }
  })
}

function linkOf({ ending, edge, awayMs, askedAt }: Measured, carriers: readonly StatusCarrier[]): Status['link'] {
  if (ending !== undefined) return 'ended'
  if (edge === undefined) return 'connecting'
  if (awayMs !== undefined || carriers.length === 0) return 'away'
  const askedMs = performance.now() - askedAt
  return carriers.some(({ suspect, heard_ms }) => !suspect && heard_ms <= askedMs) ? 'online' : 'silent'
}

async function measureTunnel(published: Published, { edge }: Measured): Promise<StatusTunnel> {
  const { name, state, bound, wish } = published
  const startedAt = performance.now()
  let measuredAt = startedAt
  const reached = probe(wish).then((code) => {
    measuredAt = performance.now()
    return { reachable: code === undefined, ms: Math.round(measuredAt - startedAt), code }
  })
  const edgeAddress = edge?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') ?? ''
  const check =
    bound === undefined ? undefined : await checkPublic(bound, { ...settingsOf(wish), edgeAddress, stepMs: 2000 })
  const service = { ...(await reached), age_ms: Math.round(performance.now() - measuredAt) }
  return { name, state, public: bound?.public, target: wish.target.text, service, check, traffic: published.traffic }
}

function formatEndpoint({ address, port }: { address: string; port: number }): string {
  return formatAddress({ host: address, port })
}

function familyOf({ family }: Endpoint): StatusCarrier['family'] {
  return family === 0 ? undefined : `IPv${family}`
}
