import type { IncomingHttpHeaders } from 'node:http'
import { HeadLines, type Unread } from './head-lines.ts'

/** A request's head that every reader takes alike. */
export interface RequestHead {
  readonly method: string
  /** Origin-form. */
  readonly url: string
  readonly fields: RequestFields
  /** Of the head, bytes. */
  readonly bytes: number
}

/** The fields of a request, which the next one on its connection often brings again. */
export interface RequestFields {
  /** As they came, to the empty line behind them. */
  readonly text: Uint8Array
  /** Names and values in turn. */
  readonly raw: string[]
  /** Of its body, bytes. */
  readonly length: number
  /** The visitor wants no further answer on this connection. */
  readonly last: boolean
  /** Made when they are asked for. */
  headers?: IncomingHttpHeaders
}

/** Those that mean the same to everybody, with the space behind them. */
const METHODS = ['GET ', 'HEAD ', 'POST ', 'PUT ', 'PATCH ', 'DELETE ', 'OPTIONS '] as const
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
const NAMES: readonly Method[] = METHODS.map((method) => method.trimEnd() as Method)
/** Whose presence makes a request more than a head and a counted body. */
const NEVER: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'upgrade',
  'expect',
  'trailer',
  'proxy-connection',
  'http2-settings',
])
/** Far below 2^53, and long enough for anything. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/

/**
 * Reads a request's head, if it belongs to the part of HTTP/1.1 that leaves nothing to interpret: everything else is
 * `other`, and for a parser that knows all of it. `fields`, `most`: how many fields and bytes it may have. RFC 9112 §3, §5
 *
 * `known`: fields that were read before. The same bytes say the same, and are not read again.
 * What it takes still has to pass `checkHead`, as what Node's parser takes.
 */
export function readRequestHead(
  bytes: Buffer,
  { fields: mostFields, most, known }: { fields: number; most: number; known?: RequestFields | undefined },
): RequestHead | Unread {
  const lines = new HeadLines(bytes)
  const method = methodOf(lines)
  if (method === 'more' || method === 'other') return method
  const target = lines.at
  const slash = lines.takes('/')
  if (slash !== true) return slash
  if (!lines.skipTarget()) return unlessLong(bytes, most)
  const targetEnd = lines.at
  const version = lines.takes(' HTTP/1.1\r\n')
  if (version !== true) return version
  const fields = known !== undefined && lines.repeats(known.text) ? known : fieldsOf(lines, bytes, mostFields)
  if (fields === 'more') return unlessLong(bytes, most)
  if (fields === 'other' || lines.at > most) return 'other'
  if (fields.length > 0 && (method === 'GET' || method === 'HEAD')) return 'other'
  return { method, url: bytes.toString('latin1', target, targetEnd), fields, bytes: lines.at }
}

function methodOf(lines: HeadLines): Method | Unread {
  let left: Unread = 'other'
  for (let at = 0; at < METHODS.length; at++) {
    lines.at = 0
    const taken = lines.takes(METHODS[at] as string)
    if (taken === true) return NAMES[at] as Method
    if (taken === 'more') left = 'more'
  }
  return left
}

function unlessLong(bytes: Uint8Array, most: number): Unread {
  return bytes.length > most ? 'other' : 'more'
}

function fieldsOf(lines: HeadLines, bytes: Buffer, most: number): RequestFields | Unread {
  const from = lines.at
  const offsets = lines.fields(most)
  if (offsets === 'more' || offsets === 'other') return offsets
  if (lines.tabbed) return 'other'
  const raw = lines.texts(offsets)
  const framing = framingOf(raw)
  return framing === undefined ? 'other' : { text: new Uint8Array(bytes.subarray(from, lines.at)), raw, ...framing }
}

function framingOf(raw: readonly string[]): { length: number; last: boolean } | undefined {
  let length: number | undefined
  let last: boolean | undefined
  let hosts = 0
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    if (NEVER.has(name) || name.includes('_')) return undefined
    if (name === 'host') hosts++
    else if (name === 'content-length') {
      if (length !== undefined || !LENGTH.test(value)) return undefined
      length = Number(value)
    } else if (name === 'connection') {
      const option = value.toLowerCase()
      if (last !== undefined || (option !== 'close' && option !== 'keep-alive')) return undefined
      last = option === 'close'
    }
  }
  return hosts === 1 ? { length: length ?? 0, last: last ?? false } : undefined
}
