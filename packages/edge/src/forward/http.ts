import type { Duplex } from 'node:stream'
import { type Code, codeOf, EngawaError, rowOf } from '@engawa/shared/errors'
import type { Admission, Reached, Visitor } from '../admit.ts'
import { BodyRate } from '../guard/body-rate.ts'
import { isTrusted, type Pass } from '../guard/door.ts'
import type { CheckedHead } from '../guard/head.ts'
import { pathOf, rewritten } from '../route/route.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { answer } from './answers.ts'
import { answerCheck } from './check.ts'
import { Countdown } from './countdown.ts'
import { clientBehind, trailerFields, valuesOf } from './headers.ts'
import { askHttp1 } from './http1.ts'
import { KnownFields } from './known.ts'
import type { ResponseEvents, VisitorRequest, VisitorResponse } from './message.ts'
import { answerChallenge, sendToHttps } from './own.ts'
import { type Pausable, Pauses } from './pauses.ts'
import { promptnessOf } from './promptness.ts'
import { Reply, type ReplyEvents } from './reply.ts'
import type { ServiceAgent } from './service.ts'
import { tell } from './tell.ts'
import { isRepeatable, type Outgoing, type ServiceAnswer, type Upstream, type UpstreamEvents } from './upstream.ts'

/** One request of a visitor and the means to answer it. */
export interface Asked {
  readonly visitor: Visitor
  readonly head: CheckedHead
  readonly request: VisitorRequest
  readonly response: VisitorResponse
  readonly agent: ServiceAgent
  /** Of its connection. */
  readonly known?: KnownFields
  /** Of a connection that carries one request at a time: how long the service may be silent; whoever has it calls `timedOut`. */
  readonly silence?: Countdown
  readonly pauses?: Pauses
  /** Cuts the visitor's connection with a RST (its stream over HTTP/2): an answer that broke off must never look whole. */
  readonly cut: () => void
  /** HTTP/2: how long nothing may move. Over HTTP/1.1 a body has a least rate instead. */
  readonly idleMs?: number
  /** HTTP/2: sends the visitor back to HTTP/1.1, where it has a service connection to itself. RFC 9113 §7, HTTP_1_1_REQUIRED */
  readonly fallBack?: () => void
  /** For an upgrade: the protocol asked for, and what to do when the service switches to it. */
  readonly upgrade?: {
    readonly protocol: string
    /** `rest` came with the service's word. False: the answer is no proper one. */
    switched(answer: ServiceAnswer, service: Duplex, rest: Buffer, exchange: Exchange): boolean
    /** A 2xx would say to the visitor that its service has switched. RFC 8441 §4 */
    readonly refuses2xx?: boolean
  }
}

/** What the log and the agent are told of a visitor who left before the answer; nobody is sent it. */
const LEFT = 499
/** Made once: Node would make an error with a stack for each request that is over. */
const GONE = new EngawaError('CANCELLED')
/** How long the rest of an unwanted body is read and dropped, so that the visitor sees the answer and not a RST. */
const LINGER_MS = 5000

/** Carries one request to the service and its answer back, neither of them whole in memory. */
export class Exchange implements ResponseEvents, ReplyEvents, Pausable {
  readonly #admission: Admission
  readonly #asked: Asked
  readonly #visitor: Visitor
  readonly #path: string
  readonly #known: KnownFields
  readonly #startedAt: number = performance.now()
  /** The visitor has left. */
  #left = false
  /** Ends the wait for an agent. */
  #waiting: AbortController | undefined
  readonly #silence: Countdown
  /** The same, where it counts for the service that was asked. */
  #counted: Countdown | undefined
  readonly #pauses: Pauses
  readonly #idle: Countdown | undefined
  readonly #reply: Reply
  #pass: Pass | undefined
  #tunnel: Tunnel | undefined
  #reached: Reached | undefined
  #upstream: Upstream | undefined
  #rate: BodyRate | undefined
  #code: Code | undefined
  /** How often a service was asked, and whether this one was a second time. */
  #asks = 0
  #askedAgain = false
  /** Those behind the name that have failed this request. */
  #tried: Set<Tunnel> | undefined
  #switched = false
  #by: 'service' | 'edge' = 'edge'
  #firstByteMs: number | undefined
  #received = 0
  #sent = 0
  #over: (() => void) | undefined

  constructor(admission: Admission, asked: Asked) {
    this.#admission = admission
    this.#asked = asked
    const { visitor, request } = asked
    const client = clientBehind(visitor.peer, request.rawHeaders, admission.trusted)
    this.#visitor = client === visitor.client ? visitor : { ...visitor, client }
    this.#path = pathOf(request.url ?? '')
    this.#known = asked.known ?? new KnownFields()
    this.#pauses = asked.pauses ?? new Pauses()
    this.#silence = asked.silence ?? new Countdown(admission.settings.limits.responseHeadMs, () => this.timedOut())
    if (asked.idleMs !== undefined && !this.#isGrpc)
      this.#idle = new Countdown(asked.idleMs, () => this.#fail('REQUEST_TIMEOUT'))
    const { domain, limits } = admission.settings
    const strict = visitor.secure ? admission.publicWeb.strictTransport(asked.head.authority.name) : undefined
    const settings = { domain, interimResponses: limits.interimResponses, strictTransport: strict, known: this.#known }
    this.#reply = new Reply(asked, settings, this)
  }

  /** `over`: nothing of this exchange is left. Never throws. */
  run(over: () => void): void {
    this.#over = over
    const asked = this.#asked
    const { response } = asked
    if (response.follow !== undefined) response.follow(this)
    else {
      response.on('drain', () => this.drained())
      response.once('finish', () => this.finished())
      response.once('close', () => this.closed())
    }
    try {
      this.#count()
      if (answerChallenge(this.#admission, this.#path, asked)) this.#began('edge')
      else this.#enter()
    } catch (error) {
      this.#fail(codeOf(error), error)
    }
  }

  #enter(): void {
    const asked = this.#asked
    const { authority } = asked.head
    const tunnel = this.#admission.find(this.#visitor, { protocol: 'http', authority, path: this.#path })
    this.#tunnel = tunnel
    tunnel.traffic.total++
    tunnel.traffic.open++
    if (answerCheck(tunnel, this.#path, asked) || sendToHttps(this.#admission, asked)) this.#began('edge')
    // Once it has been asked the service may know somebody on a connection that other requests share.
    else if (asked.fallBack !== undefined && tiesIdentity(asked.request, 'authorization')) asked.fallBack()
    else this.#attempt(tunnel)
  }

  drained(): void {
    this.#reply.drained()
  }

  finished(): void {
    this.#linger()
  }

  closed(): void {
    this.#left = true
    this.#waiting?.abort(GONE)
    this.#finish()
    this.#over?.()
  }

  /** Whoever has the connection to itself is counted with it; a visitor behind a proxy is by its requests. */
  #count(): void {
    const { client, peer } = this.#visitor
    if (client === peer.address) return
    const pass = this.#admission.door.request(client)
    if (typeof pass === 'string') throw new EngawaError(pass)
    this.#pass = pass
  }

  #attempt(tunnel: Tunnel): void {
    const reached = this.#admission.reachNow(tunnel, this.#visitor)
    if (reached === undefined) void this.#await(tunnel)
    else this.#try(reached)
  }

  async #await(tunnel: Tunnel): Promise<void> {
    try {
      const reached = await this.#admission.reach(tunnel, this.#visitor, this.#wait())
      if (!this.#left) this.#try(reached)
    } catch (error) {
      this.#unreached(error)
    }
  }

  #try(reached: Reached): void {
    this.#reached = reached
    try {
      this.#send(reached)
    } catch (error) {
      this.#unreached(error)
    }
  }

  #unreached(error: unknown): void {
    if (!this.#moveOn()) this.#fail(codeOf(error), error)
  }

  /** What a request holds while its agent is away. */
  #wait(): { bytes: number; signal: AbortSignal } {
    const { rawHeaders, url = '' } = this.#asked.request
    this.#waiting = new AbortController()
    return { bytes: rawHeaders.reduce((sum, text) => sum + text.length + 2, url.length), signal: this.#waiting.signal }
  }

  /** Gives a request that may be repeated to another of those that share its tunnel's name. False: it may not, or there is none. */
  #moveOn(): boolean {
    const { request, response, head, upgrade } = this.#asked
    const former = this.#tunnel
    const safe = isRepeatable({ method: request.method ?? '', hasBody: head.hasBody, upgrade: upgrade?.protocol })
    if (former?.balanced !== true || !safe || this.#code !== undefined || this.#left) return false
    if (response.headersSent || response.destroyed) return false
    this.#tried ??= new Set()
    this.#tried.add(former)
    const other = this.#admission.another(former, this.#visitor, this.#tried)
    if (other === undefined) return false
    // What the former one still says is not heard.
    this.#asks++
    this.#askedAgain = false
    this.#silence.stop()
    this.#upstream?.destroy()
    this.#upstream = undefined
    former.traffic.open--
    other.traffic.open++
    other.traffic.total++
    this.#tunnel = other
    this.#attempt(other)
    return true
  }

  #send(reached: Reached): void {
    const { agent, head } = this.#asked
    const { link } = reached.live
    this.#asks++
    const outgoing = this.#outgoing(reached)
    const events = this.#eventsOf(reached)
    const upstream = reached.tunnel.h2c ? agent.h2c.ask(outgoing, events) : askHttp1(outgoing, agent, events)
    this.#upstream = upstream
    // A gRPC service may think for as long as its client lets it, and begin with its first message.
    const silence = reached.tunnel.h2c && this.#isGrpc ? undefined : this.#silence
    const idle = this.#idle
    this.#counted = silence
    this.#pauses.follow(link, this)
    silence?.restart()
    idle?.restart()
    if (link.paused) {
      silence?.pause()
      idle?.pause()
    }
    if (head.hasBody) this.#pour(upstream, reached, silence)
    else upstream.end()
  }

  paused(paused: boolean): void {
    // Its agent may come back, and may not: who need not wait does not.
    if (paused && this.#moveOn()) return
    if (paused) {
      this.#counted?.pause()
      this.#idle?.pause()
    } else {
      this.#counted?.resume()
      this.#idle?.resume()
    }
  }

  get #isGrpc(): boolean {
    return /^application\/grpc/i.test(this.#asked.request.headers['content-type'] ?? '')
  }

  #outgoing({ tunnel, live, open }: Reached): Outgoing {
    const { request, head, upgrade } = this.#asked
    const visitor = this.#visitor
    const { trusted, settings } = this.#admission
    const method = request.method ?? 'GET'
    const { rawHeaders: raw, httpVersion: version } = request
    return {
      method,
      path: rewritten(request.url ?? '/', tunnel),
      fields: this.#known.request(visitor, { raw, method, version, upgrade: upgrade?.protocol, tunnel, trusted }),
      hasBody: head.hasBody,
      takesTrailers: tunnel.h2c && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(request.headers.te ?? '')),
      upgrade: upgrade?.protocol,
      responseHeadBytes: settings.limits.responseHeadBytes,
      service: this.#known.service(live, visitor.client),
      open,
      promptness: promptnessOf(live),
    }
  }

  /** What comes of the latest ask; a former one is not heard any more. */
  #eventsOf(reached: Reached): UpstreamEvents {
    const ask = this.#asks
    const { request } = this.#asked
    return {
      interim: (status, raw) => {
        if (ask === this.#asks) this.#reply.inform(status, raw)
      },
      answered: (incoming) => {
        if (ask === this.#asks) this.#answered(incoming)
        else incoming.destroy()
      },
      switched: (incoming, service, rest) => this.#switch(incoming, service, rest),
      drained: () => request.resume(),
      broke: (error, again) => {
        if (ask === this.#asks) this.#broke(reached, error, again)
      },
    }
  }

  /** The body, as fast as the service takes it. */
  #pour(upstream: Upstream, { live }: Reached, silence: Countdown | undefined): void {
    const { request, idleMs, response } = this.#asked
    const expects = request.headers.expect !== undefined
    if (idleMs === undefined)
      this.#rate = new BodyRate(this.#admission.settings.limits, {
        willing: () =>
          !request.isPaused() && !live.link.paused && (!expects || this.#reply.continued || this.#received > 0),
        tooSlow: () => this.#fail('REQUEST_TIMEOUT'),
      })
    request.on('data', (chunk: Buffer) => {
      this.received(chunk.length)
      this.#rate?.received(chunk.length)
      // A long upload is no silence of the service.
      if (!response.headersSent) silence?.restart()
      if (!upstream.write(chunk)) request.pause()
    })
    request.once('end', () => {
      this.#rate?.stop()
      upstream.end(trailerFields(request.rawTrailers, { toService: true }))
    })
  }

  #answered(incoming: ServiceAnswer): void {
    const { response, fallBack, upgrade } = this.#asked
    this.#silence.stop()
    this.#rate?.stop()
    if (response.headersSent || response.destroyed) return void incoming.destroy()
    if (upgrade?.refuses2xx === true && incoming.status < 300) {
      incoming.destroy()
      return this.#fail('SERVICE_BROKE')
    }
    if (fallBack !== undefined && tiesIdentity(incoming, 'www-authenticate')) {
      incoming.destroy()
      return fallBack()
    }
    // Behind a proxy one address may be many people.
    if (
      isTrusted(this.#admission.trusted, this.#visitor.peer.address) &&
      (tiesIdentity(incoming, 'www-authenticate') || tiesIdentity(this.#asked.request, 'authorization'))
    )
      incoming.retire()
    if (this.#reply.pass(incoming)) this.#began('service')
  }

  #switch(incoming: ServiceAnswer, service: Duplex, rest: Buffer): void {
    const { upgrade, response } = this.#asked
    this.#silence.stop()
    this.#idle?.stop()
    if (upgrade === undefined || response.headersSent || response.destroyed) {
      service.destroy()
      return this.#fail('SERVICE_BROKE')
    }
    // Before its first bytes are passed on: what fails from now on is a cut.
    this.#switched = true
    this.#began('service')
    if (upgrade.switched(incoming, service, rest, this)) return
    this.#switched = false
    service.destroy()
    this.#fail('SERVICE_BROKE')
  }

  #broke(reached: Reached, error: Error, again: boolean): void {
    const { response } = this.#asked
    if (!again || this.#askedAgain || response.headersSent || response.destroyed) {
      if (!this.#moveOn()) this.#fail(codeOf(error, 'SERVICE_BROKE'), error)
      return
    }
    this.#askedAgain = true
    try {
      this.#send(reached)
    } catch (failure) {
      if (!this.#moveOn()) this.#fail(codeOf(failure), failure)
    }
  }

  /** The service has been silent for too long. */
  timedOut(): void {
    this.#fail('SERVICE_TIMEOUT')
  }

  /** The service's answer can't be passed on, or broke off. */
  failed(code: Code, cause?: unknown): void {
    this.#fail(code, cause)
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
    if (request.complete || this.#switched) return
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
    if (this.#asked.pauses === undefined) this.#pauses.dispose()
    else this.#pauses.rest()
    const whole = this.#switched || response.writableFinished || this.#code !== undefined
    if (!whole) this.#upstream?.destroy()
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

/** It is about who speaks on this connection, not in this request: NTLM and its kin. RFC 4559 */
function tiesIdentity(
  { rawHeaders }: Pick<VisitorRequest, 'rawHeaders'> | ServiceAnswer,
  field: 'authorization' | 'www-authenticate',
): boolean {
  return valuesOf(rawHeaders, field).some((value) => /(?:^|,\s*)(?:ntlm|negotiate)\b/i.test(value))
}
