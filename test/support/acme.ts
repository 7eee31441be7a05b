import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { Pebble, type PebbleOptions } from './pebble.ts'
import { without } from './tools.ts'
import { type World, type WorldOptions, world } from './world.ts'

export const withoutCa: string | false = without('pebble', 'pebble-challtestsrv', 'curl')
/** A CA, its DNS, an edge and an agent start and talk: a busy machine takes its time. An order that fails is tried again after 60 s. */
export const PATIENCE: { readonly deadlineMs: number } = { deadlineMs: 120_000 }
/** No agent can look `tunnel.test` up. */
export const DIALLED: readonly string[] = ['--public-host', '127.0.0.1']
/** Hundreds of visitors come from one address here. */
export const NO_DOOR: string =
  'limits: { perAddress: { connections: 20000, newPerSecond: 100000, burst: 100000 }, certificates: { ordersPerHour: 1000, ordersPerNamePerHour: 1000 } }'

export interface Scene {
  readonly pebble: Pebble
  readonly here: World
}

export interface SceneOptions extends PebbleOptions, Pick<WorldOptions, 'places'> {
  /** Further lines of `tls.acme`, then of edge.yaml. */
  readonly acme?: readonly string[]
  readonly rest?: readonly string[]
  readonly edgeFlags?: readonly string[]
}

/** An edge for `tunnel.test` whose certificates pebble issues. */
export async function scene(
  t: Test,
  { acme = [], rest = [], edgeFlags = [], places, ...options }: SceneOptions = {},
): Promise<Scene> {
  const pebble = await Pebble.open(t, options)
  const here = await world(t, {
    domain: 'tunnel.test',
    edgeFlags: [...DIALLED, '--config', pebble.config(acme, rest), ...edgeFlags],
    ...(places && { places }),
  })
  pebble.lead(here)
  return { pebble, here }
}

/** A handshake at the edge's HTTPS port; rejects unless it proves to be `servername` by `ca`. */
export function handshake({ https }: Pick<World, 'https'>, options: ConnectionOptions): Promise<TLSSocket> {
  const [host = '', port] = https.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), ...options }, () => resolve(socket))
    socket.on('error', reject)
  })
}

/** The edge's log says so. */
export const isIssued = (name: string): RegExp =>
  new RegExp(`"names":\\["${name.replaceAll('.', '\\.')}".*certificate issued`)

/** The value that `share` of them do not exceed, with one decimal. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10
}
