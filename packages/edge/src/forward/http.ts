import { type ClientRequest, request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type Code, codeOf, EngawaError, rowOf } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { StreamDuplex } from '@engawa/shared/stream/duplex'
import type { Admission, Reached, Visitor } from '../admit.ts'
import { BodyRate } from '../guard/body-rate.ts'
import { isTrusted, type Pass } from '../guard/door.ts'
import type { CheckedHead } from '../guard/head.ts'
import { pathOf, prefixFields, rewritten } from '../route/route.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { answer } from './answers.ts'
import { checkAnswer } from './check.ts'
import { Countdown } from './countdown.ts'
import { answerFields, clientBehind, requestFields, saidByProxy, trailerFields } from './headers.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'
import type { ServiceAgent, ServiceOptions } from './service.ts'
import { tell } from './tell.ts'

/** One request of a visitor and the means to answer it. */
export interface Asked {
  readonly visitor: Visitor
  readonly head: CheckedHead
  readonly request: VisitorRequest
  readonly response: VisitorResponse
  readonly agent: ServiceAgent
  /** Cuts the visitor's connection with a RST (its stream over HTTP/2): an answer that broke off must never look whole. */
  readonly cut: () => void
  /** HTTP/2: how long nothing may move. Over HTTP/1.1 a body has a least rate instead. */
  readonly idleMs?: number
  /** HTTP/2: sends the visitor back to HTTP/1.1, where it has a service connection to itself. RFC 9113 §7, HTTP_1_1_REQUIRED */
  readonly fallBack?: () => void
  /** For an upgrade: the protocol asked for, and what to do at the service's 101. */
  readonly upgrade?: {
    readonly protocol: string
    switched(answer: IncomingMessage, service: StreamDuplex, rest: Buffer, exchange: Exchange): void
  }
}

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** What the log and the agent are told of a visitor who left before the answer; nobody is sent it. */
const LEFT = 499
/** How long the rest of an unwanted body is read and dropped, so that the visitor sees the answer and not a RST. */
const LINGER_MS = 5000

/** Carries one request to the service and its answer back, neither of them whole in memory. */
export class Exchange {
  readonly #admission: Admission
  readonly #asked: Asked
  readonly #visitor: Visitor
  readonly #path: string
  readonly #startedAt: number = performance.now()
  readonly #left = new AbortController()
  readonly #silence: Countdown
  readonly #idle: Countdown | undefined
  #pass: Pass | undefined
  #tunnel: Tunnel | undefined
  #reached: Reached | undefined
  #upstream: ClientRequest | undefined
  #rate: BodyRate | undefined
  #unpause: (() => void) | undefined
  #code: Code | undefined
  /** Those behind the name that have failed this request. */
  readonly #tried = new Set<Tunnel>()
  #interim = 0
  #continued = false
  #switched = false
  #by: 'service' | 'edge' = 'edge'
  #firstByteMs: number | undefined
  #receivedBefore = 0
  #received = 0
  #sent = 0

  constructor(admission: Admission, asked: Asked) {
    this.#admission = admission
    this.#asked = asked
    const { visitor, request } = asked
    this.#visitor = { ...visitor, client: clientBehind(visitor.peer, request.rawHeaders, admission.trusted) }
    this.#path = pathOf(asked.request.url ?? '')
    this.#silence = new Countdown(admission.settings.limits.responseHeadMs, () => this.#fail('SERVICE_TIMEOUT'))
    if (asked.idleMs !== undefined && !/^application\/grpc/i.test(asked.request.headers['content-type'] ?? ''))
      this.#idle = new Countdown(asked.idleMs, () => this.#fail('REQUEST_TIMEOUT'))
  }

  /** Resolves when nothing of this exchange is left. Never rejects. */
  async run(): Promise<void> {
    const { response, request, head } = this.#asked
    const visitor = this.#visitor
    const closed = new Promise<void>((resolve) => response.once('close', resolve))
    response.once('close', () => this.#left.abort())
    response.once('finish', () => this.#linger())
    try {
      this.#count()
      const challenge = this.#admission.publicWeb.challenge(head.authority.name, this.#path)
      if (challenge !== undefined) {
        this.#say(challenge.text === undefined ? 404 : 200, challenge.text ?? '')
        await closed
        return this.#finish()
      }
      this.#tunnel = this.#admission.find(visitor, { protocol: 'http', authority: head.authority, path: this.#path })
      this.#tunnel.traffic.total++
      this.#tunnel.traffic.open++
      const token = checkAnswer(this.#tunnel, this.#path)
      const elsewhere = token === undefined ? this.#secureUrl() : undefined
      if (token !== undefined) this.#say(200, token)
      else if (elsewhere !== undefined) this.#say(308, '', ['Location', elsewhere])
      else {
        const bytes = request.rawHeaders.reduce((sum, text) => sum + text.length + 2, (request.url ?? '').length)
        await this.#attempt(this.#tunnel, bytes)
      }
    } catch (error) {
      this.#fail(codeOf(error), error)
    }
    await closed
    this.#finish()
  }

  /** Whoever has the connection to itself is counted with it; a visitor behind a proxy is by its requests. */
  #count(): void {
    const { client, peer } = this.#visitor
    if (client === peer.address) return
    const pass = this.#admission.door.request(client)
    if (typeof pass === 'string') throw new EngawaError(pass)
    this.#pass = pass
  }

  /** An answer of the edge's own that is no error. */
  #say(status: number, text: string, more: readonly string[] = []): void {
    const { request, response } = this.#asked
    const type = text === '' ? [] : ['Content-Type', 'text/plain; charset=utf-8']
    const fields = [...type, 'Content-Length', String(text.length), 'Cache-Control', 'no-store', ...more]
    this.#began('edge')
    response.writeHead(status, STATUS_CODES[status], fields)
    response.end(request.method === 'HEAD' || text === '' ? undefined : text)
  }

  /** Where a visitor over plain HTTP has to go. Behind a trusted proxy only who came to that by plain HTTP, too. */
  #secureUrl(): string | undefined {
    const { secure, ownPort, peer } = this.#visitor
    const { request, head } = this.#asked
    if (secure || ownPort) return undefined
    const behind = isTrusted(this.#admission.trusted, peer.address)
    if (behind && saidByProxy(request.rawHeaders).proto !== 'http') return undefined
    return this.#admission.publicWeb.secureUrl(head.authority.name, request.url ?? '/')
  }

  async #attempt(tunnel: Tunnel, bytes = 0): Promise<void> {
    try {
      this.#reached = await this.#admission.reach(tunnel, this.#visitor, { bytes, signal: this.#left.signal })
      if (!this.#left.signal.aborted) this.#send(this.#reached)
    } catch (error) {
      if (!this.#moveOn()) this.#fail(codeOf(error), error)
    }
  }

  /** Gives a request that may be repeated to another of those that share its tunnel's name. False: it may not, or there is none. */
  #moveOn(): boolean {
    const { request, response, head, upgrade } = this.#asked
    const former = this.#tunnel
    if (former?.balanced !== true || head.hasBody || upgrade !== undefined) return false
    if (!IDEMPOTENT.has(request.method ?? '') || this.#code !== undefined || this.#left.signal.aborted) return false
    if (response.headersSent || response.destroyed) return false
    this.#tried.add(former)
    const other = this.#admission.another(former, this.#visitor, this.#tried)
    if (other === undefined) return false
    const upstream = this.#upstream
    this.#upstream = undefined
    this.#silence.stop()
    upstream?.destroy()
    former.traffic.open--
    other.traffic.open++
    other.traffic.total++
    this.#tunnel = other
    void this.#attempt(other)
    return true
  }

  #send(reached: Reached): void {
    const { agent, request, head, upgrade } = this.#asked
    const visitor = this.#visitor
    const { link, service } = reached.live
    const method = request.method ?? 'GET'
    const fields = requestFields(
      request.rawHeaders,
      { peer: visitor.peer, secure: visitor.secure, trusted: this.#admission.trusted },
      { method, version: request.httpVersion, upgrade: upgrade?.protocol, host: reached.tunnel.hostHeader },
    )
    const options: ServiceOptions = {
      agent,
      method,
      path: rewritten(request.url ?? '/', reached.tunnel),
      headers: [...fields, ...prefixFields(reached.tunnel)],
      maxHeaderSize: this.#admission.settings.limits.responseHeadBytes,
      joinDuplicateHeaders: false,
      // A trusted proxy's connection carries many visitors: each has service connections of its own.
      service: `${link.session}/${service}/${visitor.client}`,
      open: () => reached.open(),
    }
    const upstream = httpRequest(options)
    this.#upstream = upstream
    upstream.on('socket', (connection: Duplex) => {
      this.#receivedBefore = streamOf(connection)?.received ?? 0
    })
    upstream.on('continue', () => this.#continue())
    upstream.on('information', (interim) => this.#inform(interim.statusCode, interim.rawHeaders))
    upstream.on('response', (incoming) => this.#answered(incoming))
    upstream.on('upgrade', (incoming, connection, rest) => this.#switch(incoming, connection, rest))
    upstream.on('error', (error) => this.#broke(upstream, error))
    this.#unpause?.()
    const timers = [this.#silence, this.#idle].filter((timer) => timer !== undefined)
    this.#unpause = link.onPause((paused) => {
      // Its agent may come back, and may not: who need not wait does not.
      if (paused && this.#moveOn()) return
      for (const timer of timers)
        if (paused) timer.pause()
        else timer.resume()
    })
    for (const timer of timers) {
      timer.restart()
      if (link.paused) timer.pause()
    }
    if (head.hasBody) this.#pour(upstream, reached)
    else upstream.end()
  }

  /** The body, as fast as the service takes it. */
  #pour(upstream: ClientRequest, { live }: Reached): void {
    const { request } = this.#asked
    const expects = request.headers.expect !== undefined
    if (this.#asked.idleMs === undefined)
      this.#rate = new BodyRate(this.#admission.settings.limits, {
        willing: () => !request.isPaused() && !live.link.paused && (!expects || this.#continued || this.#received > 0),
        tooSlow: () => this.#fail('REQUEST_TIMEOUT'),
      })
    upstream.flushHeaders()
    request.on('data', (chunk: Buffer) => {
      this.received(chunk.length)
      this.#rate?.received(chunk.length)
      // A long upload is no silence of the service.
      if (!this.#asked.response.headersSent) this.#silence.restart()
      if (!upstream.write(chunk)) request.pause()
    })
    upstream.on('drain', () => request.resume())
    request.once('end', () => {
      this.#rate?.stop()
      upstream.addTrailers(trailerFields(request.rawTrailers))
      upstream.end()
    })
  }

  #continue(): void {
    this.#continued = true
    if (this.#mayInform()) this.#asked.response.writeContinue()
  }

  #inform(status: number, raw: readonly string[]): void {
    if (++this.#interim > this.#admission.settings.limits.interimResponses) return this.#fail('SERVICE_BROKE')
    // 100 has been passed on by `continue`; 101 never gets here.
    if (status === 100 || !this.#mayInform()) return
    const { response } = this.#asked
    const fields = answerFields(raw, { status, domain: this.#admission.settings.domain, trailers: false })
    try {
      response.writeInformation(status, recordOf(fields))
    } catch (error) {
      this.#fail('SERVICE_BROKE', error)
    }
  }

  /** RFC 9110 §15.2: nothing 1xx for an HTTP/1.0 visitor. */
  #mayInform(): boolean {
    const { request, response } = this.#asked
    return !response.headersSent && !response.destroyed && request.httpVersion !== '1.0'
  }

  #answered(incoming: IncomingMessage): void {
    const { request, response } = this.#asked
    this.#silence.stop()
    this.#rate?.stop()
    if (response.headersSent || response.destroyed) return void incoming.destroy()
    if (tiesIdentity(incoming)) {
      if (this.#asked.fallBack !== undefined) {
        incoming.destroy()
        return this.#asked.fallBack()
      }
      // Behind a proxy one address may be many people.
      if (isTrusted(this.#admission.trusted, this.#visitor.peer.address)) this.#asked.agent.neverKeep(incoming.socket)
    }
    this.#asked.agent.announced(String(incoming.headers['keep-alive'] ?? ''))
    const status = incoming.statusCode ?? 0
    const fields = answerFields(incoming.rawHeaders, {
      status,
      domain: this.#admission.settings.domain,
      trailers: request.httpVersion !== '1.0' && incoming.headers['transfer-encoding'] !== undefined,
    })
    const strict = this.#visitor.secure
      ? this.#admission.publicWeb.strictTransport(this.#asked.head.authority.name)
      : undefined
    if (strict !== undefined && incoming.headers['strict-transport-security'] === undefined)
      fields.push('Strict-Transport-Security', strict)
    // The visitor may hold its body back for good: what it sends next can't be told from it.
    if (request.headers.expect !== undefined && !this.#continued && !request.complete)
      fields.push('Connection', 'close')
    try {
      response.writeHead(status, incoming.statusMessage, fields)
    } catch (error) {
      incoming.destroy()
      return this.#fail('SERVICE_BROKE', error)
    }
    this.#began('service')
    incoming.on('data', (chunk: Buffer) => {
      this.sent(chunk.length)
      if (!response.write(chunk)) incoming.pause()
    })
    response.on('drain', () => incoming.resume())
    incoming.once('end', () => {
      if (incoming.rawTrailers.length > 0 && response.chunkedEncoding)
        response.addTrailers(trailerFields(incoming.rawTrailers))
      response.end()
    })
    incoming.once('error', (error) => this.#fail('SERVICE_BROKE', error))
    // Usually the first of the body follows at once and goes in one write with the head; events may be far apart.
    setImmediate(() => {
      if (this.#sent === 0 && !response.writableEnded && !response.destroyed) response.flushHeaders()
    })
  }

  #switch(incoming: IncomingMessage, connection: Duplex, rest: Buffer): void {
    const { upgrade, response } = this.#asked
    const given = (incoming.headers.upgrade ?? '').toLowerCase()
    const asked =
      upgrade?.protocol
        .toLowerCase()
        .split(',')
        .map((text) => text.trim()) ?? []
    const service = connection instanceof StreamDuplex ? connection : undefined
    if (
      upgrade === undefined ||
      service === undefined ||
      response.headersSent ||
      response.destroyed ||
      !asked.includes(given)
    ) {
      connection.destroy()
      return this.#fail('SERVICE_BROKE')
    }
    this.#silence.stop()
    this.#switched = true
    this.#began('service')
    upgrade.switched(incoming, service, rest, this)
  }

  #broke(upstream: ClientRequest, error: Error): void {
    if (upstream !== this.#upstream) return
    const { request, response, head } = this.#asked
    const silent = (streamOf(upstream.socket)?.received ?? 0) === this.#receivedBefore
    const again = upstream.reusedSocket && silent && !head.hasBody && IDEMPOTENT.has(request.method ?? '')
    // It died idle, and our request met its end on the way. Its second connection is a new one, so this happens once.
    if (again && this.#reached !== undefined && !response.headersSent && !response.destroyed)
      return this.#sendAgain(this.#reached)
    if (!this.#moveOn()) this.#fail(codeOf(error, 'SERVICE_BROKE'), error)
  }

  #sendAgain(reached: Reached): void {
    try {
      this.#send(reached)
    } catch (error) {
      this.#fail(codeOf(error), error)
    }
  }

  /** Before the head: an answer that says why. After it: a cut. */
  #fail(code: Code, cause?: unknown): void {
    const { request, response, cut } = this.#asked
    if (this.#code !== undefined || this.#switched || response.destroyed || response.writableFinished) return
    this.#code = code
    this.#silence.stop()
    this.#rate?.stop()
    const { status, scope } = rowOf(code)
    if (code === 'INTERNAL') this.#admission.log.error({ err: cause, tunnel: this.#tunnel?.name }, 'request failed')
    else
      this.#admission.log.debug({ code, tunnel: this.#tunnel?.name, visitor: this.#visitor.client }, 'request failed')
    if (response.headersSent) cut()
    else {
      this.#began('edge')
      answer(request, response, status !== undefined ? code : scope === 'session' ? 'AGENT_AWAY' : 'SERVICE_BROKE', {
        close: code === 'REQUEST_TIMEOUT',
        pages: this.#admission.pages,
      })
    }
    this.#upstream?.destroy()
  }

  /** The head of an answer goes out. */
  #began(by: 'service' | 'edge'): void {
    this.#by = by
    this.#firstByteMs = this.#elapsedMs()
  }

  #elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt)
  }

  /** The answer is out, the rest of the body is unwanted. */
  #linger(): void {
    const { request, cut } = this.#asked
    if (request.complete) return
    this.#upstream?.destroy()
    request.removeAllListeners('data')
    request.resume()
    const timer = setTimeout(cut, LINGER_MS).unref()
    request.once('close', () => clearTimeout(timer))
  }

  /** Bytes that went to the visitor. */
  sent(bytes: number): void {
    this.#sent += bytes
    this.#idle?.restart()
    if (this.#tunnel !== undefined) this.#tunnel.traffic.sent += bytes
  }

  /** Bytes that came from the visitor. */
  received(bytes: number): void {
    this.#received += bytes
    this.#idle?.restart()
    if (this.#tunnel !== undefined) this.#tunnel.traffic.received += bytes
  }

  #finish(): void {
    const { request, response, visitor } = this.#asked
    const { client } = this.#visitor
    this.#pass?.leave()
    this.#silence.stop()
    this.#idle?.stop()
    this.#rate?.stop()
    this.#unpause?.()
    const whole = this.#switched || response.writableFinished || this.#code !== undefined
    if (!whole) this.#upstream?.destroy(new EngawaError('CANCELLED'))
    if (this.#tunnel !== undefined) this.#tunnel.traffic.open--
    tell(this.#admission, request, {
      visitor: client,
      secure: visitor.secure,
      status: this.#switched ? 101 : response.headersSent ? response.statusCode : LEFT,
      received: this.#received,
      sent: this.#sent,
      firstByteMs: this.#firstByteMs,
      ms: this.#elapsedMs(),
      by: this.#by,
      code: whole ? this.#code : 'CANCELLED',
      tunnel: this.#tunnel,
      live: this.#reached?.live,
    })
  }
}

/** The service wants to know who speaks on this connection, not in this request: NTLM and its kin. RFC 4559 */
function tiesIdentity({ headers }: IncomingMessage): boolean {
  return /(?:^|,\s*)(?:ntlm|negotiate)\b/i.test(headers['www-authenticate'] ?? '')
}

/** The mux stream below a service connection. */
function streamOf(connection: Duplex | null): Stream | undefined {
  return connection instanceof StreamDuplex ? connection.stream : undefined
}

function recordOf(fields: readonly string[]): Record<string, string[]> {
  const record: Record<string, string[]> = {}
  for (let at = 0; at + 1 < fields.length; at += 2) (record[fields[at] ?? ''] ??= []).push(fields[at + 1] ?? '')
  return record
}
