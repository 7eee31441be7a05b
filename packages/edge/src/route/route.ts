import type { Tunnel, TunnelTable } from '../tunnel/tunnel.ts'
import type { Authority } from './host.ts'

/** Path of a request's target, without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** The bare address is an IP address or the edge's own domain: not a tunnel's name. */
export function isBare({ name, literal }: Authority, domain: string): boolean {
  return literal || name === domain
}

/** Any tunnel of that name, whatever its path; for TLS, which asks before there is a path. */
export function tunnelNamed(table: Pick<TunnelTable, 'byHost' | 'all'>, name: string): Tunnel | undefined {
  return table.byHost(name, '/') ?? table.all().find((tunnel) => tunnel.hosts.includes(name))
}

/** Which tunnel a request is for; each request by its own authority, whatever connection it came on. */
export function routeHttp(
  table: Pick<TunnelTable, 'byHost' | 'bare'>,
  { authority, path, domain }: { authority: Authority; path: string; domain: string },
): Tunnel | undefined {
  return table.byHost(authority.name, path) ?? (isBare(authority, domain) ? table.bare() : undefined)
}
