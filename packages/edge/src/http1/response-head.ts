import { HeadLines, type Unread } from './head-lines.ts'

/** How the end of an answer's body is known. RFC 9112 §6.3 */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** When the service closes. */
  | { readonly kind: 'close' }

/** An answer's head that every reader takes alike. */
export interface ResponseHead {
  readonly status: number
  readonly message: string
  /** Names and values in turn. */
  readonly rawHeaders: string[]
  readonly framing: Framing
  /** The service keeps its connection for another request. */
  readonly keeps: boolean
  /** The Keep-Alive field. */
  readonly keepAlive: string | undefined
  /** Of the head, bytes. */
  readonly bytes: number
}

/** A head, and what it looked like: the next answer on its connection may have the same. */
export interface KnownHead {
  readonly head: ResponseHead
  readonly text: Uint8Array
  /** It answers a HEAD request. */
  readonly toHead: boolean
}

const LENGTH = /^(?:0|[1-9]\d{0,14})$/
/** More than any service sends. */
const FIELDS = 1000
const NONE: Framing = { kind: 'none' }

/**
 * Reads the head of a service's answer, if it belongs to the part of HTTP/1.1 that leaves nothing to interpret: everything
 * else is `other`. `head`: it answers a HEAD request; `most`: how many bytes it may have. RFC 9112 §4, §6.3
 *
 * `known`: a head that was read before. The same bytes say the same, and are not read again.
 * 101 is always `other`.
 */
export function readResponseHead(
  bytes: Uint8Array,
  { head, most, known }: { head: boolean; most: number; known?: KnownHead | undefined },
): ResponseHead | Unread {
  const lines = new HeadLines(bytes)
  if (known !== undefined && known.toHead === head && lines.repeats(known.text)) return known.head
  const version = lines.takes('HTTP/1.1 ')
  if (version !== true) return version
  const from = lines.at
  if (bytes.length < from + 4) return 'more'
  const status = statusOf(bytes, from)
  if (status === undefined || status === 101) return 'other'
  lines.at += 4
  if (!lines.skipValue()) return bytes.length > most ? 'other' : 'more'
  const reasonEnd = lines.at
  const ended = lines.takes('\r\n')
  if (ended !== true) return ended
  const offsets = lines.fields(FIELDS)
  if (offsets === 'more') return bytes.length > most ? 'other' : 'more'
  if (offsets === 'other' || lines.tabbed || lines.at > most) return 'other'
  const rawHeaders = lines.texts(offsets)
  const said = saidOf(rawHeaders)
  if (said === undefined) return 'other'
  const { length, chunked, close, keepAlive } = said
  // It could mean that no answer follows.
  if (status < 200 && close) return 'other'
  // Nobody should announce a body there, and what follows could be taken for the next answer.
  if ((status < 200 || status === 204) && (chunked || (length ?? 0) > 0)) return 'other'
  const bodiless = head || status < 200 || status === 204 || status === 304
  const framing: Framing = bodiless
    ? NONE
    : chunked
      ? { kind: 'chunked' }
      : length === undefined
        ? { kind: 'close' }
        : { kind: 'length', bytes: length }
  const keeps = !close && framing.kind !== 'close'
  return { status, message: lines.text(from + 4, reasonEnd), rawHeaders, framing, keeps, keepAlive, bytes: lines.at }
}

function statusOf(bytes: Uint8Array, at: number): number | undefined {
  const digits = [0, 1, 2].map((index) => (bytes[at + index] ?? 0) - 0x30)
  const [first = 0, second = 0, third = 0] = digits
  if (first < 1 || first > 5 || digits.some((digit) => digit < 0 || digit > 9) || bytes[at + 3] !== 0x20)
    return undefined
  return 100 * first + 10 * second + third
}

interface Said {
  readonly length: number | undefined
  readonly chunked: boolean
  readonly close: boolean
  readonly keepAlive: string | undefined
}

function saidOf(raw: readonly string[]): Said | undefined {
  let length: number | undefined
  let chunked = false
  let close = false
  let keepAlive: string | undefined
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    if (name === 'content-length') {
      if (length !== undefined || !LENGTH.test(value)) return undefined
      length = Number(value)
    } else if (name === 'transfer-encoding') {
      if (chunked || value.toLowerCase() !== 'chunked') return undefined
      chunked = true
    } else if (name === 'connection') close ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value)
    else if (name === 'keep-alive') keepAlive = value
  }
  // Who says both means one of them; which one is what the two sides could disagree about. RFC 9112 §6.1
  if (chunked && length !== undefined) return undefined
  return { length, chunked, close, keepAlive }
}
