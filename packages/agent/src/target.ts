import { isIP, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { domainToASCII } from 'node:url'
import type { EngawaError } from '@engawa/shared/errors'
import { nearest } from '@engawa/shared/nearest'
import { complaint, type Phrase } from './complaint.ts'

/** Where a service is reached: a host and `count` ports from `port` on, or a Unix socket; or a folder, which the agent serves itself. */
export type Place =
  | { readonly kind: 'port'; readonly host: string; readonly port: number; readonly count: number }
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string }

/** What a person wants published. `text` is its one canonical spelling: names are remembered by it. */
export interface Target {
  readonly protocol: 'http' | 'tcp' | 'udp' | 'tls'
  readonly place: Place
  /** It speaks TLS: `https://`. */
  readonly secure: boolean
  /** HTTP: put before each request's path; without a final slash. */
  readonly path?: string | undefined
  /** It speaks HTTP/2 from the first byte: `h2c://`. */
  readonly h2c: boolean
  readonly text: string
}

/** Every scheme of contract.md, and what it is published as. */
const SCHEMES: Readonly<Record<string, Target['protocol']>> = {
  http: 'http',
  tcp: 'tcp',
  https: 'http',
  h2c: 'http',
  udp: 'udp',
  tls: 'tls',
}
const USUAL_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, h2c: 80 }
/** No empty part, no `.` or `..`, no query. */
const PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)*\/?$/
/** sockaddr_un holds 108 bytes with its final NUL. */
const MAX_SOCKET_PATH = 107
/** Japanese input methods type these; they mean the same. */
const FULL_WIDTH = /[\uff01-\uff5e]/g

/**
 * Reads `[SCHEME://][HOST:]PORT[-PORT][/PATH]`, `unix:/path`, `tcp+unix:/path`, or a folder, which begins with `/`, `./` or
 * `../`; `base` is where the latter two begin. Throws TARGET_INVALID or PROTOCOL_UNSUPPORTED with one message for people.
 */
export function parseTarget(typed: string, base: string = process.cwd()): Target {
  if (/^\.{0,2}\//.test(typed) || typed === '.' || typed === '..') return folderTarget(typed, base)
  const text = typed.trim().replaceAll(FULL_WIDTH, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
  const wrong: Wrong = (why) => complaint('TARGET_INVALID', (words) => words.targetWrong(typed, why(words)))
  if (text === '') throw wrong((words) => words.targetEmpty)
  // oxlint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f]/.test(text)) throw wrong((words) => words.targetSpace)
  const socket = /^(tcp\+unix|unix):(?:\/\/)?(.*)$/i.exec(text)
  if (socket !== null) return socketTarget(socket[1] ?? '', socket[2] ?? '', wrong)
  const { scheme, rest } = splitScheme(text, wrong)
  if (rest.includes('@')) throw wrong((words) => words.targetUser)
  const slash = rest.search(/[/?#]/)
  const authority = slash === -1 ? rest : rest.slice(0, slash)
  const path = slash === -1 ? '' : rest.slice(slash)
  const place = placeOf(scheme ?? 'http', scheme !== undefined, authority, wrong)
  const use = SCHEMES[scheme ?? 'http'] ?? 'http'
  if (path !== '' && path !== '/') {
    if (use !== 'http' || !path.startsWith('/')) throw wrong((words) => words.targetPathTcp)
    if (!PATH.test(path)) throw wrong((words) => words.targetPath)
  }
  if ((use === 'http' || use === 'tls') && place.count > 1) throw wrong((words) => words.targetRangeHttp)
  const [secure, h2c] = [scheme === 'https', scheme === 'h2c']
  const prefix = path.replace(/\/+$/, '')
  return {
    protocol: use,
    place,
    secure,
    h2c,
    text: `${secure || h2c ? scheme : use}://${spell(place)}${prefix}`,
    ...(prefix !== '' && { path: prefix }),
  }
}

/** `HOST:PORT` or `HOST:PORT-PORT`, IPv6 in brackets. */
export function spell(place: { host: string; port: number; count: number }): string {
  const host = isIPv6(place.host.replace(/%.*$/, '')) ? `[${place.host}]` : place.host
  return `${host}:${place.port}${place.count > 1 ? `-${place.port + place.count - 1}` : ''}`
}

type Wrong = (why: Phrase) => EngawaError

function later(typed: string, what: Phrase): EngawaError {
  return complaint('PROTOCOL_UNSUPPORTED', (words) => words.targetLater(typed, what(words)))
}

function folderTarget(typed: string, base: string): Target {
  const path = resolve(base, typed)
  if (path.includes('\0')) {
    throw complaint('TARGET_INVALID', (words) => words.targetWrong(typed, words.targetSpace))
  }
  return { protocol: 'http', place: { kind: 'folder', path }, secure: false, h2c: false, text: path }
}

function socketTarget(scheme: string, path: string, wrong: Wrong): Target {
  if (!path.startsWith('/') || path.endsWith('/')) throw wrong((words) => words.targetSocketPath)
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) throw wrong((words) => words.targetSocketLong(MAX_SOCKET_PATH))
  const tcp = scheme.toLowerCase() !== 'unix'
  return {
    protocol: tcp ? 'tcp' : 'http',
    place: { kind: 'socket', path },
    secure: false,
    h2c: false,
    text: `${tcp ? 'tcp+unix' : 'unix'}:${path}`,
  }
}

function splitScheme(text: string, wrong: Wrong): { scheme: string | undefined; rest: string } {
  const at = text.indexOf('://')
  if (at === -1) return { scheme: undefined, rest: text }
  const scheme = text.slice(0, at).toLowerCase()
  if (!Object.hasOwn(SCHEMES, scheme)) {
    throw wrong((words) => words.targetScheme(scheme, nearest(scheme, Object.keys(SCHEMES)) ?? 'http'))
  }
  return { scheme, rest: text.slice(at + 3) }
}

function placeOf(
  scheme: string,
  schemeTyped: boolean,
  authority: string,
  wrong: Wrong,
): Extract<Place, { kind: 'port' }> {
  const parts = /^(?:(\[[^\]]*\]|[^:[\]]*):)?([^:[\]]*)$/.exec(authority)
  const usual = schemeTyped ? USUAL_PORTS[scheme] : undefined
  const onlyHost = usual === undefined ? undefined : hostOf(authority)
  if (onlyHost !== undefined && !/^\d+(-\d+)?$/.test(authority))
    return { kind: 'port', host: onlyHost, port: usual ?? 80, count: 1 }
  if (parts === null) throw wrong((words) => (isIPv6(authority) ? words.targetBrackets(authority) : words.targetForm))
  const ports = /^(\d+)(?:-(\d*))?$/.exec(parts[2] ?? '')
  if (ports === null) {
    const host = hostOf(authority)
    throw wrong((words) => (host === undefined ? words.targetForm : words.targetNoPort(authority)))
  }
  const from = portOf(ports[1] ?? '', wrong)
  const to = ports[2] === undefined ? from : portOf(ports[2], wrong)
  if (to < from) throw wrong((words) => words.targetRangeOrder(from, to))
  const typedHost = parts[1] ?? ''
  const host = typedHost === '' ? '127.0.0.1' : hostOf(typedHost)
  if (host === undefined) throw wrong((words) => words.targetHost(typedHost))
  return { kind: 'port', host, port: from, count: to - from + 1 }
}

function portOf(digits: string, wrong: Wrong): number {
  if (!/^[1-9]\d{0,4}$/.test(digits) || Number(digits) > 65_535) throw wrong((words) => words.targetPort(digits))
  return Number(digits)
}

/** The host in its canonical spelling, or undefined. "All interfaces" means this machine: people copy it from their service's log. */
function hostOf(typed: string): string | undefined {
  const inner = /^\[(.*)\]$/.exec(typed)?.[1]
  if (inner !== undefined) {
    if (!isIPv6(inner)) return undefined
    return /^[0:]+$/.test(inner) ? '::1' : inner.toLowerCase()
  }
  if (typed === '0.0.0.0') return '127.0.0.1'
  if (isIP(typed) === 4) return typed
  if (typed.includes(':') || typed.includes('%')) return undefined
  const ascii = domainToASCII(typed).replace(/\.$/, '')
  if (ascii === '' || ascii.length > 253 || /^[\d.]+$/.test(ascii)) return undefined
  const labels = ascii.split('.')
  return labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) ? ascii : undefined
}
