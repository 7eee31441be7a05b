import type { Duplex } from 'node:stream'
import { type Code, codeOf, EngawaError, rowOf } from '@engawa/shared/errors'
import type { Admission, Visitor } from '../admit.ts'
import { isTrusted, type Pass } from '../guard/door.ts'
import { pathOf } from '../route/route.ts'
import { answer } from './answers.ts'
import { type Asked, tiesIdentity } from './asked.ts'
import { type Asker, Attempts } from './attempts.ts'
import { answerCheck } from './check.ts'
import { type DeadlineEvents, Deadlines } from './deadlines.ts'
import { clientBehind } from './headers.ts'
import { KnownFields } from './known.ts'
import type { ResponseEvents } from './message.ts'
import { answerChallenge, sendToHttps } from './own.ts'
import { Reply, type ReplyEvents } from './reply.ts'
import { tell } from './tell.ts'
import type { ServiceAnswer } from './upstream.ts'

/** What the log and the agent are told of a visitor who left before the answer; nobody is sent it. */
const LEFT = 499
/** How long the rest of an unwanted body is read and dropped, so that the visitor sees the answer and not a RST. */
const LINGER_MS = 5000

/** Carries one request to the service and its answer back, neither of them whole in memory. */
export class Exchange implements Asker, ResponseEvents, ReplyEvents, DeadlineEvents {
  readonly visitor: Visitor
  readonly known: KnownFields
  readonly deadlines: Deadlines
  readonly #admission: Admission
  readonly #asked: Asked
  readonly #path: string
  readonly #startedAt: number = performance.now()
  readonly #reply: Reply
  /** The visitor has left. */
  #left = false
  #pass: Pass | undefined
  #attempts: Attempts | undefined
  #code: Code | undefined
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
    this.visitor = client === visitor.client ? visitor : { ...visitor, client }
    this.#path = pathOf(request.url ?? '')
    this.known = asked.known ?? new KnownFields()
    const { domain, limits } = admission.settings
    this.deadlines = new Deadlines(asked, limits, this)
    const strict = visitor.secure ? admission.publicWeb.strictTransport(asked.head.authority.name) : undefined
    const settings = { domain, interimResponses: limits.interimResponses, strictTransport: strict, known: this.known }
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
    const tunnel = this.#admission.find(this.visitor, { protocol: 'http', authority, path: this.#path })
    const attempts = new Attempts(this.#admission, asked, { tunnel, asker: this })
    this.#attempts = attempts
    tunnel.traffic.total++
    tunnel.traffic.open++
    if (answerCheck(tunnel, this.#path, asked) || sendToHttps(this.#admission, asked)) this.#began('edge')
    // Once it has been asked the service may know somebody on a connection that other requests share.
    else if (asked.fallBack !== undefined && tiesIdentity(asked.request, 'authorization')) asked.fallBack()
    else attempts.begin()
  }

  drained(): void {
    this.#reply.drained()
  }

  /** The answer is out; if its body is not whole, the rest of it is unwanted. */
  finished(): void {
    const { request, cut } = this.#asked
    if (request.complete || this.#switched) return
    this.#attempts?.destroy()
    request.removeAllListeners('data')
    request.resume()
    const timer = setTimeout(cut, LINGER_MS).unref()
    request.once('close', () => clearTimeout(timer))
  }

  closed(): void {
    this.#left = true
    this.#attempts?.leave()
    this.#finish()
    this.#over?.()
  }

  /** Whoever has the connection to itself is counted with it; a visitor behind a proxy is by its requests. */
  #count(): void {
    const { client, peer } = this.visitor
    if (client === peer.address) return
    const pass = this.#admission.door.request(client)
    if (typeof pass === 'string') throw new EngawaError(pass)
    this.#pass = pass
  }

  get done(): boolean {
    const { response } = this.#asked
    return this.#code !== undefined || this.#left || response.headersSent || response.destroyed
  }
  get sends(): boolean {
    return this.#reply.continued || this.#received > 0
  }

  interim(status: number, raw: readonly string[]): void {
    this.#reply.inform(status, raw)
  }

  answered(incoming: ServiceAnswer): void {
    const { response, fallBack, upgrade } = this.#asked
    this.deadlines.heard()
    this.deadlines.settle()
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
      isTrusted(this.#admission.trusted, this.visitor.peer.address) &&
      (tiesIdentity(incoming, 'www-authenticate') || tiesIdentity(this.#asked.request, 'authorization'))
    )
      incoming.retire()
    if (this.#reply.pass(incoming)) this.#began('service')
  }

  switched(incoming: ServiceAnswer, service: Duplex, rest: Buffer): void {
    const { upgrade, response } = this.#asked
    this.deadlines.leave()
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

  gaveUp(code: Code, error: unknown): void {
    this.#fail(code, error)
  }

  timedOut(): void {
    this.#fail('SERVICE_TIMEOUT')
  }

  stalled(): void {
    this.#fail('REQUEST_TIMEOUT')
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
    this.deadlines.heard()
    this.deadlines.settle()
    const { status, scope } = rowOf(code)
    const tunnel = this.#attempts?.tunnel.name
    if (code === 'INTERNAL') this.#admission.log.error({ err: cause, tunnel }, 'request failed')
    else this.#admission.log.debug({ code, tunnel, visitor: this.visitor.client }, 'request failed')
    if (response.headersSent) cut()
    else {
      this.#began('edge')
      answer(request, response, status !== undefined ? code : scope === 'session' ? 'AGENT_AWAY' : 'SERVICE_BROKE', {
        close: code === 'REQUEST_TIMEOUT',
        pages: this.#admission.pages,
      })
    }
    this.#attempts?.destroy()
  }

  /** The head of an answer goes out. */
  #began(by: 'service' | 'edge'): void {
    this.#by = by
    this.#firstByteMs = this.#elapsedMs()
  }

  #elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt)
  }

  /** Bytes that went to the visitor. */
  sent(bytes: number): void {
    this.#sent += bytes
    this.deadlines.moved()
    if (this.#attempts !== undefined) this.#attempts.tunnel.traffic.sent += bytes
  }

  /** Bytes that came from the visitor. */
  received(bytes: number): void {
    this.#received += bytes
    this.deadlines.moved()
    if (this.#attempts !== undefined) this.#attempts.tunnel.traffic.received += bytes
  }

  #finish(): void {
    const { request, response, visitor } = this.#asked
    const attempts = this.#attempts
    this.#pass?.leave()
    this.deadlines.end()
    const whole = this.#switched || response.writableFinished || this.#code !== undefined
    if (!whole) attempts?.destroy()
    if (attempts !== undefined) attempts.tunnel.traffic.open--
    tell(this.#admission, request, {
      visitor: this.visitor.client,
      secure: visitor.secure,
      status: this.#switched ? 101 : response.headersSent ? response.statusCode : LEFT,
      received: this.#received,
      sent: this.#sent,
      firstByteMs: this.#firstByteMs,
      ms: this.#elapsedMs(),
      by: this.#by,
      code: whole ? this.#code : 'CANCELLED',
      tunnel: attempts?.tunnel,
      live: attempts?.reached?.live,
    })
  }
}
