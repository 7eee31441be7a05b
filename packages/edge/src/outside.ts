import { type Address, formatAddress } from '@engawa/shared/addresses'
import type { EdgeSettings, PublicHost } from './config.ts'
import type { VisitorsCa } from './identity/visitors-ca.ts'
import { nearest } from './reach.ts'
import { isPassed } from './route/route.ts'
import type { PublicTls } from './tls/open.ts'
import type { Face } from './tunnel/face.ts'
import type { TunnelTable } from './tunnel/tunnel.ts'

/** Where the edge really listens; undefined: off. */
export type Real = Readonly<Record<'http' | 'https' | 'carrier' | 'admin', Address | undefined>>

interface Authorities {
  readonly own: VisitorsCa
  readonly publicTls: PublicTls
  readonly table: TunnelTable
}

/** How the edge looks from outside, once it listens. */
export function faceOf(
  settings: EdgeSettings,
  hosts: readonly PublicHost[],
  real: Real,
  by: Authorities | undefined,
): Face {
  const { domain, publicHosts } = settings
  const names = hosts.map(({ host }) => host)
  const shown = domain === 'localhost' && (publicHosts.length > 0 || nearest(names) === 'public')
  const https = by &&
    real.https && {
      port: real.https.port,
      serves: (host: string) =>
        !isPassed(by.table, host) && (by.own.covers(host) || by.publicTls.publics.find(host) !== undefined),
      trusted: (host: string) => by.publicTls.trusts(host),
      awaited: (host: string) => by.publicTls.awaits(host),
    }
  return {
    domain,
    http: real.http?.port ?? 80,
    https,
    host: shown ? (names[0] ?? domain) : domain,
    portPerHttp: shown,
    ownPorts: Object.values(real).flatMap((address) => (address === undefined ? [] : [address.port])),
  }
}

/** As events tell it. */
export function texts({ http, https, carrier, admin }: Real): Record<keyof Real, string> {
  return { http: text(http), https: text(https), carrier: text(carrier), admin: text(admin) }
}

function text(address: Address | undefined): string {
  return address === undefined ? 'off' : formatAddress(address)
}
