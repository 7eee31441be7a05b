import { METHODS } from 'node:http'
import type { Code } from '@engawa/shared/errors'
import type { VisitorRequest } from '../forward/message.ts'
import { type Authority, parseHost } from '../route/host.ts'
import type { VisitorLimits } from './limits.ts'

/** A request head that leaves nothing to interpret. */
export interface CheckedHead {
  readonly authority: Authority
  readonly hasBody: boolean
}

/** Those of HTTP; the parser lets those of RTSP through, too. */
const KNOWN: ReadonlySet<string> = new Set(METHODS)
const HTTP_1: ReadonlySet<string> = new Set(['1.0', '1.1'])
// Visible ASCII without `#` (RFC 9112 §3.2.1): Node lets a fragment through.
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/

type Head = Pick<VisitorRequest, 'method' | 'url' | 'rawHeaders' | 'httpVersion'>

/**
 * Refuses every head that two readers could take differently, above what Node's parser refuses by itself
 * (bare CR and LF, NUL, obs-fold, Content-Length together with Transfer-Encoding, …). RFC 9112 §3, §6.
 */
export function checkHead(
  request: Head,
  limits: VisitorLimits,
  versions: ReadonlySet<string> = HTTP_1,
): CheckedHead | Code {
  return checkLine(request, limits, versions) ?? checkFields(request)
}

/** As `checkHead`, what differs between requests that have the same fields. */
export function checkLine(
  { method = '', url = '', rawHeaders, httpVersion }: Head,
  limits: VisitorLimits,
  versions: ReadonlySet<string> = HTTP_1,
): Code | undefined {
  if (url.length > limits.requestTargetBytes) return 'TARGET_TOO_LONG'
  if (rawHeaders.length > 2 * limits.requestFields) return 'HEAD_TOO_LARGE'
  // TRACE would echo cookies and the edge's own fields; CONNECT asks for a forward proxy.
  if (method === 'TRACE' || method === 'CONNECT') return 'METHOD_REFUSED'
  if (!KNOWN.has(method)) return 'REQUEST_INVALID'
  if (!versions.has(httpVersion)) return 'REQUEST_INVALID'
  return TARGET.test(url) ? undefined : 'REQUEST_INVALID'
}

/** As `checkHead`, what the fields of a request and its version decide. */
export function checkFields({
  rawHeaders,
  httpVersion,
}: Pick<VisitorRequest, 'rawHeaders' | 'httpVersion'>): CheckedHead | Code {
  let host: string | undefined
  let length: string | undefined
  let encoding: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    // CGI and WSGI turn `-` into `_`: `X_Forwarded_For` would become the edge's own field there.
    if (name.includes('_')) return 'REQUEST_INVALID'
    if (name === 'host') {
      if (host !== undefined) return 'HOST_INVALID'
      host = value
    } else if (name === 'content-length') {
      if (length !== undefined || !/^\d{1,16}$/.test(value)) return 'REQUEST_INVALID'
      length = value
    } else if (name === 'transfer-encoding') {
      if (encoding !== undefined || value.toLowerCase() !== 'chunked' || httpVersion === '1.0') return 'REQUEST_INVALID'
      encoding = value
    } else if (name === 'expect' && value.toLowerCase() !== '100-continue') return 'REQUEST_INVALID'
  }
  if (length !== undefined && encoding !== undefined) return 'REQUEST_INVALID'
  const authority = host === undefined ? undefined : parseHost(host)
  if (authority === undefined) return 'HOST_INVALID'
  return { authority, hasBody: encoding !== undefined || (length !== undefined && Number(length) > 0) }
}
