import type { IncomingHttpHeaders } from 'node:http'
import type { BlockList } from 'node:net'
import type { Endpoint } from '@engawa/shared/wire/opening'
import { endpoint } from '@engawa/shared/wire/opening'
import { isTrusted } from '../guard/door.ts'
import { parseHost } from '../route/host.ts'
import { dropsCookie } from './cookies.ts'

/** Names and values in turn, as on the wire. */
export type RawFields = readonly string[]

/** Who a request came from, as the edge vouches for it. */
export interface Sender {
  /** The TCP peer. */
  readonly peer: Endpoint
  readonly secure: boolean
  /** Whose forwarding fields are kept and added to. */
  readonly trusted: BlockList
}

/** Fields that mean one hop only, RFC 9110 §7.6.1, with their historical kin. */
const HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])
/** Framing and routing: a visitor who names them in Connection must not make the two sides disagree. */
const UNSTRIPPABLE: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'trailer', 'set-cookie'])
/** What the edge alone says, besides everything that begins with `x-forwarded`; `proxy` would become HTTP_PROXY in CGI. */
const OURS: ReadonlySet<string> = new Set(['forwarded', 'x-real-ip', 'proxy'])
/** What their names begin with. */
const OURS_BEGIN: ReadonlySet<string> = new Set(['x', 'f', 'p'])
/** Without a length these have no body (RFC 9110 §8.6); for others node:http would begin a chunked one. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])
/** Must not come after the body: framing, routing and what a server decides upon. RFC 9110 §6.5.1 */
const NEVER_TRAILER: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'trailer',
  'expect',
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'engawa-error',
])

/** Fields of a visitor's request as the service gets them. `version`: as received, for Via; `upgrade`: the protocol to ask for; `host`: instead of the visitor's. */
export function requestFields(
  raw: RawFields,
  sender: Sender,
  options: { method: string; version: string; upgrade?: string | undefined; host?: string | undefined },
): string[] {
  const named = connectionOptions(raw)
  const fields: string[] = []
  const announced: string[] = []
  let host = ''
  let framed = BODILESS.has(options.method)
  let chunked = false
  eachField(raw, (name, value, lower) => {
    if (lower === 'host') host = value
    if (lower === 'content-length') framed = true
    if (lower === 'transfer-encoding') chunked = true
    if (HOP.has(lower) || isOurs(lower) || (named.has(lower) && !UNSTRIPPABLE.has(lower))) return
    // Only a chunked body can have what it announces.
    if (lower === 'trailer') {
      announced.push(name, value)
      return
    }
    // 010 is ten, but not to everyone.
    if (lower === 'content-length') fields.push(name, value.replace(/^0+(?=\d)/, ''))
    else fields.push(name, lower === 'host' ? (options.host ?? value) : value)
  })
  // As its own hop: checkHead let nothing but `chunked` pass.
  if (chunked) fields.push(...announced, 'Transfer-Encoding', 'chunked')
  else if (!framed) fields.push('Content-Length', '0')
  if (options.upgrade !== undefined) fields.push('Connection', 'Upgrade', 'Upgrade', options.upgrade)
  fields.push('Via', `${options.version} engawa`, ...forwardingFields(raw, sender, host))
  return fields
}

/** Fields of a service's answer as the visitor gets them. `domain`: the edge's, for which no service may set cookies. */
export function answerFields(raw: RawFields, options: { status: number; domain: string; trailers: boolean }): string[] {
  const named = connectionOptions(raw)
  const bodiless = options.status === 204 || options.status < 200
  const fields: string[] = []
  eachField(raw, (name, value, lower) => {
    if (HOP.has(lower) || lower === 'engawa-error' || (named.has(lower) && !UNSTRIPPABLE.has(lower))) return
    if (lower === 'content-length' && bodiless) return
    if (lower === 'trailer' && !options.trailers) return
    if (lower === 'set-cookie' && dropsCookie(value, options.domain)) return
    fields.push(name, value)
  })
  return fields
}

/** Trailers as they may be passed on, as pairs for `addTrailers`. `toService`: where some take `_` for `-`. */
export function trailerFields(raw: RawFields, { toService = false } = {}): [string, string][] {
  const fields: [string, string][] = []
  eachField(raw, (name, value, lower) => {
    if (HOP.has(lower) || isOurs(lower) || NEVER_TRAILER.has(lower) || (toService && name.includes('_'))) return
    fields.push([name, value])
  })
  return fields
}

/** The values of a field, as they came. `lower`: its name in lower case. */
export function valuesOf(raw: RawFields, lower: string): string[] {
  const values: string[] = []
  eachField(raw, (_, value, name) => {
    if (name === lower) values.push(value)
  })
  return values
}

/** As `IncomingMessage.headers` for what we read of it: lower case, the first of each name. */
export function headersOf(raw: RawFields): IncomingHttpHeaders {
  const record: Record<string, string> = Object.create(null)
  eachField(raw, (_, value, lower) => {
    record[lower] ??= value
  })
  return record
}

/** In any spelling that a service may take for it: some servers turn every odd letter of a name into `_` for CGI. */
function isOurs(lower: string): boolean {
  // Cheap, for most names.
  if (!OURS_BEGIN.has(lower[0] ?? '')) return false
  const name = lower.replace(/[^a-z0-9]/g, '-')
  return name.startsWith('x-forwarded') || OURS.has(name)
}

function connectionOptions(raw: RawFields): ReadonlySet<string> {
  const named = new Set<string>()
  eachField(raw, (_, value, lower) => {
    if (lower !== 'connection' && lower !== 'proxy-connection') return
    for (const option of value.split(',')) named.add(option.trim().toLowerCase())
  })
  return named
}

function forwardingFields(raw: RawFields, { peer, secure, trusted }: Sender, host: string): string[] {
  const proto = secure ? 'https' : 'http'
  const own = { for: [peer.address], proto, host, forwarded: [forwardedElement(peer, proto, host)] }
  const said = isTrusted(trusted, peer.address) ? saidByProxy(raw) : undefined
  const chain = said === undefined ? own.for : [...said.for, ...own.for]
  return [
    'X-Forwarded-For',
    chain.join(', '),
    'X-Forwarded-Proto',
    said?.proto ?? proto,
    'X-Forwarded-Host',
    said?.host ?? host,
    'Forwarded',
    [...(said?.forwarded ?? []), ...own.forwarded].join(', '),
    'X-Real-IP',
    clientOf(chain, trusted),
  ]
}

/** The visitor behind a chain of trusted proxies: the last address that is none of them. */
export function clientOf(chain: readonly string[], trusted: BlockList): string {
  return chain.findLast((address) => !isTrusted(trusted, address)) ?? chain[0] ?? ''
}

/** The address of whoever a request is from: the peer's, or what a trusted proxy says. */
export function clientBehind(peer: Endpoint, raw: RawFields, trusted: BlockList): string {
  if (!isTrusted(trusted, peer.address)) return peer.address
  return clientOf([...saidByProxy(raw).for, peer.address], trusted)
}

/** What a trusted proxy says of its visitor; only what has the right form. */
export function saidByProxy(raw: RawFields): {
  for: string[]
  proto: string | undefined
  host: string | undefined
  forwarded: string[]
} {
  const said = { for: [] as string[], proto: undefined as string | undefined, host: undefined as string | undefined }
  eachField(raw, (_, value, lower) => {
    if (lower === 'x-forwarded-for') {
      for (const part of value.split(',')) {
        const { family, address } = endpoint(part.trim(), 0)
        if (family !== 0) said.for.push(address)
      }
    }
    const last = value.split(',').at(-1)?.trim() ?? ''
    if (lower === 'x-forwarded-proto' && /^https?$/i.test(last)) said.proto = last.toLowerCase()
    if (lower === 'x-forwarded-host' && parseHost(last) !== undefined) said.host = last
  })
  // Said once: with X-Forwarded-For there, Forwarded is made from it, so that the two can't disagree.
  const forwarded = said.for.map((address, index) =>
    forwardedElement(endpoint(address, 0), index === 0 ? said.proto : undefined, index === 0 ? said.host : undefined),
  )
  return { ...said, forwarded }
}

/** RFC 7239 §4: IPv6 in brackets, whatever is no token in quotes. */
function forwardedElement({ family, address }: Endpoint, proto: string | undefined, host: string | undefined): string {
  const node = family === 6 ? `"[${address}]"` : family === 4 ? address : 'unknown'
  const parts = [`for=${node}`]
  if (host !== undefined && host !== '') parts.push(`host=${/^[a-z0-9.-]+$/i.test(host) ? host : `"${host}"`}`)
  if (proto !== undefined) parts.push(`proto=${proto}`)
  return parts.join(';')
}

function eachField(raw: RawFields, take: (name: string, value: string, lower: string) => void): void {
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    take(name, raw[at + 1] ?? '', name.toLowerCase())
  }
}
