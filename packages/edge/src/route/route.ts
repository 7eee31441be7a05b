import { EngawaError } from '@engawa/shared/errors'
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

/** What a server name leads to, for TLS, which asks before there is a path: first what is passed through. */
export function tunnelNamed(table: Pick<TunnelTable, 'named'>, name: string): Tunnel | undefined {
  const all = table.named(name)
  return all.find(({ protocol }) => protocol === 'tls') ?? all[0]
}

/** TLS of this name is passed through unopened: its certificates are its agent's business alone. */
export function isPassed(table: Pick<TunnelTable, 'named'>, name: string): boolean {
  return table.named(name).some(({ protocol }) => protocol === 'tls')
}

/**
 * The target of a request as the service is asked for it: `--strip-path` and the path of the tunnel's target. Throws
 * REQUEST_INVALID for one that leaves them: of those that share a name the one that is asked may not be the one found.
 */
export function rewritten(target: string, tunnel: Pick<Tunnel, 'path' | 'rewrite'>): string {
  const { path = '', rewrite } = tunnel
  if (hasPath(tunnel) && climbs(pathOf(target))) throw new EngawaError('REQUEST_INVALID')
  if (!target.startsWith('/')) return target
  const rest = rewrite.strip ? target.slice(path.length) : target
  return rewrite.prefix + (rest.startsWith('/') ? rest : `/${rest}`)
}

/** Tells the service of the path that was taken off. */
export function prefixFields({ path, rewrite }: Pick<Tunnel, 'path' | 'rewrite'>): string[] {
  return rewrite.strip && path !== undefined ? ['X-Forwarded-Prefix', path] : []
}

/** Which tunnel a request is for; each request by its own authority, whatever connection it came on. */
export function routeHttp(
  table: Pick<TunnelTable, 'byHost' | 'bare'>,
  { authority, path, domain }: { authority: Authority; path: string; domain: string },
): Tunnel | undefined {
  const named = table.byHost(authority.name, path)
  if (named !== undefined || !isBare(authority, domain)) return named
  const bare = table.bare()
  return bare !== undefined && isBelow(path, bare.path) ? bare : undefined
}

/** What a service may take for `..`: as it is, percent-encoded, cut off by a backslash or an encoded slash, with parameters behind it. */
const CLIMBS = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){2}(?:$|[/\\;]|%2f|%5c|%3b)/i

/**
 * Whether a path names a place above itself. Browsers and their like resolve that before they ask; a service that does it
 * afterwards would leave the path that the tunnel is for. RFC 3986 §5.2.4
 */
export function climbs(path: string): boolean {
  return CLIMBS.test(path)
}

/**
 * Whether a service that reads a path more freely than we do (`%61` as `a`, `//` as `/`, without `;x`) would take it for
 * one of another tunnel of that name: the rules of `/admin` must not be passed by as `/%61dmin`. RFC 3986 §6.2.2
 */
export function isDisguised(table: Pick<TunnelTable, 'named'>, { name }: Authority, path: string): boolean {
  const plain = plainPath(path)
  if (plain === path) return false
  return table
    .named(name)
    .some(({ path: own }) => own !== undefined && isBelow(plain, plainPath(own)) !== isBelow(path, own))
}

function plainPath(path: string): string {
  // Most have nothing of the kind.
  if (!/[%\\;]|\/[./]/.test(path)) return path
  // Each byte as a character of its own: two paths are the same then if their bytes are.
  const decoded = path.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
  const names: string[] = []
  for (const segment of decoded.split(/[/\\]/)) {
    const name = segment.replace(/;.*/s, '')
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return `/${names.join('/')}`
}

/** A tunnel that is for one path only, of its name or of its service. */
export function hasPath({ path, rewrite }: Pick<Tunnel, 'path' | 'rewrite'>): boolean {
  return path !== undefined || rewrite.prefix !== ''
}

/** `/api` leads `/api` and `/api/…`, not `/apix`. */
export function isBelow(path: string, prefix: string | undefined): boolean {
  return prefix === undefined || path === prefix || path.startsWith(`${prefix}/`)
}
