import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Code } from '@engawa/shared/errors'
import type { CheckedHead } from '../guard/head.ts'
import { isLittle } from './known.ts'

/** A stream of HTTP/2 with its head read as one of HTTP/1.1. RFC 9113 §8.3, §8.2.3 */
export interface Http2Head {
  readonly method: string
  readonly url: string
  readonly fields: Http2Fields
  /** It asks for a WebSocket; this is the Sec-WebSocket-Key for a service over HTTP/1.1. RFC 8441 §4 */
  readonly webSocketKey: string | undefined
}

/** The fields of a request, which the next one on its connection often brings again. */
export interface Http2Fields {
  /** Names and values in turn, as of HTTP/1.1. */
  readonly raw: string[]
  /** Made when they are asked for. */
  headers?: IncomingHttpHeaders
  /** As `checkFields` says. */
  checked?: CheckedHead | Code
}

/** Fields that do not exist in HTTP/2. RFC 9113 §8.2.2 */
export const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/**
 * The head as HTTP/1.1 would have it; undefined when two readers could take it differently. nghttp2 has refused before
 * what RFC 9113 §8.2 forbids: capitals, controls, fields of the connection, pseudo-fields that are unknown, doubled or late.
 */
function readHead(raw: readonly string[], options: { bodiless: boolean; scheme: string }): Http2Head | undefined {
  const pseudo = new Map<string, string>()
  const fields: string[] = []
  const cookies: string[] = []
  // Over HTTP/1.1 only a chunked body has trailers; nghttp2 holds the frames to the length.
  const trailers = !options.bodiless && raw.includes('trailer')
  let hosts = 0
  let host: string | undefined
  let length = false
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? ''
    const value = raw[at + 1] ?? ''
    if (name.startsWith(':')) {
      if (fields.length > 0 || cookies.length > 0 || hosts > 0 || pseudo.has(name)) return undefined
      pseudo.set(name, value)
    } else if (OF_CONNECTION.has(name) || name !== name.toLowerCase()) return undefined
    else if (name === 'host') {
      hosts++
      host = value
    } else if (name === 'cookie') cookies.push(value)
    else if (!(trailers && name === 'content-length')) {
      length ||= name === 'content-length'
      fields.push(name, value)
    }
  }
  const authority = pseudo.get(':authority') ?? host
  const method = pseudo.get(':method')
  const url = pseudo.get(':path')
  if (method === undefined || url === undefined || authority === undefined) return undefined
  // §8.3.1: a Host that differs from :authority would let two readers route differently.
  if (hosts > 1 || (host !== undefined && host.toLowerCase() !== authority.toLowerCase())) return undefined
  if (pseudo.get(':scheme') !== options.scheme) return undefined
  for (const name of pseudo.keys())
    if (![':method', ':path', ':scheme', ':authority', ':protocol'].includes(name)) return undefined
  const protocol = pseudo.get(':protocol')
  if (protocol !== undefined) {
    // An Upgrade has neither body nor key over HTTP/2, where the stream itself is switched.
    if (method !== 'CONNECT' || protocol !== 'websocket' || options.bodiless || length) return undefined
    const key = randomBytes(16).toString('base64')
    const asked = fields.filter((_, at) => fields[at - (at % 2)] !== 'sec-websocket-key')
    if (cookies.length > 0) asked.push('cookie', cookies.join('; '))
    return {
      method: 'GET',
      url,
      fields: { raw: ['Host', authority, ...asked, 'Sec-WebSocket-Key', key] },
      webSocketKey: key,
    }
  }
  // §8.2.3: one field, as an HTTP/1.1 service expects it.
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '))
  if (!options.bodiless && !length) fields.push('transfer-encoding', 'chunked')
  return { method, url, fields: { raw: ['Host', authority, ...fields] }, webSocketKey: undefined }
}

/**
 * Reads the heads of one connection. The one before is kept: where the next differs from it in nothing but its path, its
 * fields are not read again, and nothing that depends on them alone is made again.
 */
export class Http2Heads {
  readonly #scheme: string
  #last: { readonly raw: readonly string[]; readonly bodiless: boolean; readonly head: Http2Head } | undefined

  constructor(scheme: string) {
    this.#scheme = scheme
  }

  /** As HTTP/1.1 would have it; undefined when two readers could take it differently. */
  read(raw: readonly string[], bodiless: boolean): Http2Head | undefined {
    const last = this.#last
    if (last !== undefined && last.bodiless === bodiless) {
      const url = pathUnlessOther(raw, last.raw)
      if (url !== undefined) return { ...last.head, url }
    }
    const head = readHead(raw, { bodiless, scheme: this.#scheme })
    // A WebSocket has a key of its own.
    if (head !== undefined && head.webSocketKey === undefined && isLittle(raw)) this.#last = { raw, bodiless, head }
    return head
  }
}

/** The path, where all else is the same; names as well as values, in the same order. */
function pathUnlessOther(raw: readonly string[], last: readonly string[]): string | undefined {
  if (raw.length !== last.length) return undefined
  let path: string | undefined
  for (let at = 0; at + 1 < raw.length; at += 2) {
    if (raw[at] !== last[at]) return undefined
    // Only a pseudo-field has such a name, and none is there twice.
    if (raw[at] === ':path') path = raw[at + 1]
    else if (raw[at + 1] !== last[at + 1]) return undefined
  }
  return path
}
