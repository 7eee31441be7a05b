import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Code } from '@engawa/shared/errors'
import { refusedEntry } from '../access/asked.ts'
import { type Admission, endsOf, type Visitor } from '../admit.ts'
import { answer } from '../forward/answers.ts'
import type { Asked } from '../forward/asked.ts'
import { Exchange } from '../forward/exchange.ts'
import { clientBehind } from '../forward/headers.ts'
import { resetHttp2, watchEnd } from '../forward/http2-end.ts'
import { type Http2Head, Http2Heads } from '../forward/http2-head.ts'
import { Http2AnswerHeads, Http2Request, Http2Response } from '../forward/http2-message.ts'
import { joinHttp2 } from '../forward/http2-switch.ts'
import { KnownFields } from '../forward/known.ts'
import { ServiceAgent } from '../forward/service.ts'
import { isAgreed } from '../forward/switched.ts'
import { TokenBuckets } from '../guard/bucket.ts'
import { checkFields, checkLine } from '../guard/head.ts'
import type { Arrival } from './http.ts'

/** Receive windows: an upload over 20 ms goes at 12 MB/s a stream; a visitor's connection holds at most the second figure. */
const STREAM_WINDOW = 256 * 1024
const CONNECTION_WINDOW = 1024 * 1024
/** Service connections kept for the next requests of one visitor connection. */
const KEPT = 16
const FAREWELL_MS = 5000
const VERSIONS: ReadonlySet<string> = new Set(['2.0'])

/** What breaks is told by the stream's end. */
const unheard = (): void => {}

/** Speaks HTTP/2 on sockets that TLS has opened and ALPN has chosen it for. */
export class Http2Front {
  readonly #admission: Admission
  readonly #visits = new Set<Visit>()
  #draining = false

  constructor(admission: Admission) {
    this.#admission = admission
  }

  /** As `HttpFront.take`, always below TLS. */
  take(socket: Socket, { wire, serverName, from }: Arrival): void {
    const { peer, local } = from ?? endsOf(wire)
    const visitor = { peer, client: peer.address, local, secure: true, serverName, ownPort: false }
    const visit = new Visit(this.#admission, visitor, socket)
    this.#visits.add(visit)
    socket.once('close', () => this.#visits.delete(visit))
    if (this.#draining) visit.drain()
  }

  /** What runs may finish; no connection takes anything new. */
  drain(): void {
    this.#draining = true
    for (const visit of this.#visits) visit.drain()
  }
}

/** One HTTP/2 connection of a visitor. Its streams share service connections, one request at a time each. */
class Visit {
  readonly #admission: Admission
  readonly #visitor: Visitor
  readonly #session: ServerHttp2Session
  readonly #socket: Socket
  readonly #agent = new ServiceAgent(KEPT)
  readonly #resets: TokenBuckets
  /** Streams that we have reset ourselves. */
  readonly #closed = new WeakSet<ServerHttp2Stream>()
  readonly #streams = new Set<ServerHttp2Stream>()
  readonly #heads = new Http2Heads('https')
  readonly #answerHeads = new Http2AnswerHeads()
  readonly #known = new KnownFields()
  #idle: NodeJS.Timeout | undefined
  #leaving: NodeJS.Timeout | undefined

  constructor(admission: Admission, visitor: Visitor, socket: Socket) {
    this.#admission = admission
    this.#visitor = visitor
    this.#socket = socket
    const { limits } = admission.settings
    this.#resets = new TokenBuckets({ perSecond: limits.http2ResetsPerSecond, burst: limits.http2ResetBurst })
    this.#session = performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: limits.http2Streams,
        maxHeaderListSize: limits.requestHeadBytes,
        initialWindowSize: STREAM_WINDOW,
        enablePush: false,
        // RFC 8441 §3
        enableConnectProtocol: true,
      },
      // Pseudo-fields are pairs, too.
      maxHeaderListPairs: limits.requestFields + 5,
      maxSendHeaderBlockLength: limits.responseHeadBytes * 2,
      // What a service says twice is between it and its visitor, as over HTTP/1.1.
      strictSingleValueFields: false,
    })
    this.#session.setLocalWindowSize(CONNECTION_WINDOW)
    this.#session.on('error', () => socket.destroy())
    this.#session.on('stream', (stream, _headers, _flags, raw: string[]) => this.#take(stream, raw))
    this.#session.once('goaway', () => this.#watchLeaving())
    this.#session.once('close', () => {
      clearTimeout(this.#idle)
      clearInterval(this.#leaving)
      // Node forgets one that its peer is resetting with NO_ERROR just then: what waits for its end would wait for ever.
      for (const stream of this.#streams) stream.destroy()
      this.#agent.destroy()
      // Who never says FIN in turn is not waited for.
      const timer = setTimeout(() => socket.destroy(), FAREWELL_MS).unref()
      socket.once('close', () => clearTimeout(timer))
    })
    socket.once('end', () => this.#session.destroy())
    this.#rest(limits.requestHeadMs)
  }

  drain(): void {
    // First: a session without streams is over when it is closed.
    this.#watchLeaving()
    this.#session.close()
  }

  /**
   * Once either side has said GOAWAY, Node tells of no error any more and may stop reading: a connection that breaks
   * then would stay for ever. So each time that a head may take has to bring a sign of life. A session that is over by
   * then only waits for its peer's FIN, and tells of its own end no earlier.
   */
  #watchLeaving(): void {
    if (this.#session.destroyed) return
    let read = -1
    let over = false
    clearInterval(this.#leaving)
    this.#leaving = setInterval(() => {
      if (over) return void this.#socket.destroy()
      // Its last bytes may be on their way.
      over = this.#session.destroyed
      if (over) return
      if (this.#socket.bytesRead === read) return this.#session.destroy()
      read = this.#socket.bytesRead
      // Whoever is there answers it.
      this.#session.ping(() => {})
    }, this.#admission.settings.limits.requestHeadMs).unref()
  }

  /** Without a stream for so long the connection ends. */
  #rest(ms: number): void {
    this.#idle = setTimeout(() => this.drain(), ms)
  }

  #take(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const { limits } = this.#admission.settings
    clearTimeout(this.#idle)
    this.#streams.add(stream)
    stream.on('error', unheard)
    stream.on('aborted', () => {
      if (!this.#closed.has(stream)) this.#aborted()
    })
    stream.once('close', () => {
      this.#streams.delete(stream)
      if (this.#streams.size === 0) this.#rest(limits.keepAliveIdleMs)
    })
    const head = this.#heads.read(raw, stream.endAfterHeaders)
    if (head === undefined) return this.#refuse(stream, raw)
    this.#exchange(stream, head)
  }

  #exchange(stream: ServerHttp2Stream, read: Http2Head): void {
    const { limits } = this.#admission.settings
    const request = new Http2Request(stream, read)
    const response = new Http2Response(stream, { head: read.method === 'HEAD', heads: this.#answerHeads })
    // An answer before the end of the request: the rest of its body is unwanted. RFC 9113 §8.1
    const finished = (): void => {
      if (!request.complete) this.#close(stream, constants.NGHTTP2_NO_ERROR)
    }
    if (!request.complete) stream.once('finish', finished)
    const head = checkLine(request, limits, VERSIONS) ?? (read.fields.checked ??= checkFields(request))
    if (typeof head === 'string') return this.#turnAway(request, response, head)
    const pass = this.#admission.door.http2Request(this.#visitor.peer.address)
    if (pass === 'TOO_MANY') return this.#turnAway(request, response, pass)
    stream.once('close', () => pass.leave())
    const exchange = new Exchange(this.#admission, {
      visitor: this.#visitor,
      head,
      request,
      response,
      agent: this.#agent,
      known: this.#known,
      idleMs: limits.http2IdleMs,
      cut: () => this.#close(stream, constants.NGHTTP2_INTERNAL_ERROR),
      fallBack: () => this.#close(stream, constants.NGHTTP2_HTTP_1_1_REQUIRED),
      ...this.#upgrade(stream, read, () => stream.off('finish', finished)),
    })
    exchange.run(() => {})
  }

  #turnAway(request: Http2Request, response: Http2Response, code: Code): void {
    this.#account(request.rawHeaders, code, request)
    answer(request, response, code, { pages: this.#admission.pages })
  }

  /** `left`: the stream is no request any more. */
  #upgrade(stream: ServerHttp2Stream, { webSocketKey: key }: Http2Head, left: () => void): Pick<Asked, 'upgrade'> {
    if (key === undefined) return {}
    watchEnd(stream)
    const { domain } = this.#admission.settings
    const cut = (): void => this.#close(stream, constants.NGHTTP2_CANCEL)
    return {
      upgrade: {
        protocol: 'websocket',
        refuses2xx: true,
        switched: (said, service, rest, exchange) => {
          const switched = { answer: said, service, rest, exchange, domain }
          if (!isAgreed(said, 'websocket') || !joinHttp2(stream, switched, { key, cut })) return false
          left()
          return true
        },
      },
    }
  }

  /** A malformed request is an error of its stream. RFC 9113 §8.1.1 */
  #refuse(stream: ServerHttp2Stream, raw: readonly string[]): void {
    this.#account(raw, 'REQUEST_INVALID')
    this.#close(stream, constants.NGHTTP2_PROTOCOL_ERROR)
  }

  /** Tells of a request that is refused before it is anybody's. */
  #account(raw: readonly string[], code: Code, request?: Http2Request): void {
    const { peer, secure } = this.#visitor
    const address = clientBehind(peer, raw, this.#admission.trusted)
    this.#admission.account(refusedEntry({ address, secure }, request, code))
  }

  #close(stream: ServerHttp2Stream, code: number): void {
    this.#closed.add(stream)
    resetHttp2(stream, code)
  }

  /** Streams opened and reset at once make work for the service and none for the visitor (rapid reset, CVE-2023-44487). */
  #aborted(): void {
    if (this.#session.destroyed || this.#resets.take('', performance.now())) return
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    this.#session.destroy()
  }
}
