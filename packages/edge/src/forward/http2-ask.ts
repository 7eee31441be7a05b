import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2'
import { EngawaError } from '@engawa/shared/errors'
import { endedWhole, endWith, resetHttp2, watchEnd } from './http2-end.ts'
import type { Outgoing, ServiceAnswer, Upstream, UpstreamEvents } from './upstream.ts'

/** As `UpstreamEvents`, for who keeps the connection. */
export interface Http2Events extends UpstreamEvents {
  /** `refused`: the service says that it has not begun with it. RFC 9113 §8.7 */
  broke(error: Error, refused: boolean): void
  /** Once: nothing of this request is left. */
  over(): void
  /** The connection must not carry others. */
  readonly retired: () => void
}

/** Fields that mean one hop of HTTP/1.1, or belong to its handshake of WebSockets. RFC 9113 §8.2.2, RFC 8441 §5 */
const OF_HTTP1: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'upgrade',
  'transfer-encoding',
  'sec-websocket-key',
])
const STATUS = ':status'

/** Asks a service over HTTP/2. `settled`: its settings have come. Throws when the connection takes nothing any more. */
export function askHttp2(
  session: ClientHttp2Session,
  asked: Outgoing,
  { settled, ...events }: Http2Events & { settled: boolean },
): Upstream {
  if (asked.upgrade?.toLowerCase() !== 'websocket') return send(session, asked, events, false)
  // Whether the service takes WebSockets over HTTP/2 stands in its settings; else the request goes plainly, and is refused. RFC 8441 §3
  const go = (): Upstream => send(session, asked, events, session.remoteSettings.enableConnectProtocol === true)
  return settled ? go() : later(session, events, go)
}

/** A request that waits for the service's settings. It has no body. */
function later(session: ClientHttp2Session, events: Http2Events, go: () => Upstream): Upstream {
  let upstream: Upstream | undefined
  let waits = true
  const forget = (): void => {
    waits = false
    session.off('remoteSettings', settled).off('close', closed)
  }
  const failed = (error: Error): void => {
    events.over()
    events.broke(error, false)
  }
  const settled = (): void => {
    forget()
    try {
      upstream = go()
    } catch (error) {
      failed(error as Error)
    }
  }
  const closed = (): void => {
    forget()
    failed(new EngawaError('SERVICE_BROKE'))
  }
  session.once('remoteSettings', settled).once('close', closed)
  return {
    write: () => true,
    end: () => {},
    destroy: () => {
      if (upstream !== undefined) return upstream.destroy()
      if (!waits) return undefined
      forget()
      return events.over()
    },
  }
}

function send(session: ClientHttp2Session, asked: Outgoing, events: Http2Events, switches: boolean): Upstream {
  const open = asked.hasBody || switches
  const stream = session.request(headOf(asked, switches), { endStream: !open, waitForTrailers: asked.hasBody })
  watchEnd(stream)
  endWith(session, stream)
  let trailers: Record<string, string[]> = {}
  let answered = false
  let failure: Error | undefined
  // nghttp2 holds the service to our settings only once it has confirmed them.
  const isTooLarge = (raw: readonly string[]): boolean =>
    raw.reduce((sum, part) => sum + part.length, 0) > asked.responseHeadBytes
  const tooLarge = (): void => resetHttp2(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.on('headers', (head, _flags, raw: string[]) => {
    if (isTooLarge(raw)) return tooLarge()
    events.interim(Number(head[STATUS]), withoutPseudo(raw))
  })
  stream.once('response', (head, flags: number, raw: string[]) => {
    if (isTooLarge(raw)) return tooLarge()
    answered = true
    const status = Number(head[STATUS])
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const answer = answerOf(stream, { status, ended, raw, retired: events.retired })
    // A stream that is switched goes on to be read; what it then tells of its end is its new owner's matter.
    if (switches && status >= 200 && status < 300) events.switched(answer, stream, Buffer.alloc(0))
    else events.answered(answer)
  })
  stream.on('drain', () => events.drained())
  stream.on('error', (error) => {
    failure = error
  })
  stream.once('close', () => {
    events.over()
    if (!answered)
      events.broke(failure ?? new EngawaError('SERVICE_BROKE'), stream.rstCode === constants.NGHTTP2_REFUSED_STREAM)
  })
  return {
    write: (chunk) => stream.write(chunk),
    end: (fields = []) => {
      trailers = recordOf(fields)
      stream.end()
    },
    destroy: () => resetHttp2(stream, constants.NGHTTP2_CANCEL),
  }
}

function headOf({ method, path, fields, takesTrailers }: Outgoing, switches: boolean): string[] {
  const head = [':method', switches ? 'CONNECT' : method, ':scheme', 'http', ':path', path]
  if (switches) head.push(':protocol', 'websocket')
  const rest: string[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase()
    const value = fields[at + 1] ?? ''
    if (name === 'host') head.push(':authority', value)
    else if (!OF_HTTP1.has(name) && !(switches && name === 'content-length')) rest.push(name, value)
  }
  // gRPC services refuse whom they cannot send their status. RFC 9113 §8.2.2
  if (takesTrailers) rest.push('te', 'trailers')
  return [...head, ...rest]
}

function answerOf(
  stream: ClientHttp2Stream,
  { status, ended, raw, retired }: { status: number; ended: boolean; raw: string[]; retired: () => void },
): ServiceAnswer {
  let rawTrailers: string[] = []
  stream.once('trailers', (_head, _flags, fields: string[]) => {
    rawTrailers = fields
  })
  return {
    status,
    message: undefined,
    rawHeaders: withoutPseudo(raw),
    get rawTrailers() {
      return rawTrailers
    },
    mayHaveTrailers: !ended,
    ended,
    read: (reader) => {
      stream.on('data', (chunk: Buffer) => reader.data(chunk))
      stream.once('end', () => {
        if (endedWhole(stream)) reader.end()
      })
      stream.once('close', () => {
        if (!endedWhole(stream)) reader.failed(new EngawaError('SERVICE_BROKE'))
      })
    },
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    destroy: () => resetHttp2(stream, constants.NGHTTP2_CANCEL),
    retire: retired,
  }
}

function withoutPseudo(raw: readonly string[]): string[] {
  return raw.filter((_, at) => !(raw[at - (at % 2)] ?? '').startsWith(':'))
}

function recordOf(fields: readonly [string, string][]): Record<string, string[]> {
  // Without a prototype: a visitor names them.
  const record: Record<string, string[]> = Object.create(null)
  for (const [name, value] of fields) (record[name.toLowerCase()] ??= []).push(value)
  return record
}
