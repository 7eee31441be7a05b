import type { Duplex } from 'node:stream'
import { type Code, codeOf, EngawaError } from '@engawa/shared/errors'
import type { Admission, Reached, Visitor } from '../admit.ts'
import { rewritten } from '../route/route.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { type Asked, isGrpc } from './asked.ts'
import type { Deadlines } from './deadlines.ts'
import { trailerFields } from './headers.ts'
import { askHttp1 } from './http1.ts'
import type { KnownFields } from './known.ts'
import type { Pausable } from './pauses.ts'
import { promptnessOf } from './promptness.ts'
import { isRepeatable, type Outgoing, type ServiceAnswer, type Upstream, type UpstreamEvents } from './upstream.ts'

/** Whose request it is, and what becomes of it. */
export interface Asker {
  /** As who is let in: a trusted proxy may speak for them. */
  readonly visitor: Visitor
  readonly known: KnownFields
  readonly deadlines: Deadlines
  /** Nobody waits for an answer any more, or one was given. */
  readonly done: boolean
  /** The visitor was told to send its body, or has begun to. */
  readonly sends: boolean
  /** Bytes of the body. */
  received(bytes: number): void
  interim(status: number, raw: readonly string[]): void
  answered(answer: ServiceAnswer): void
  switched(answer: ServiceAnswer, service: Duplex, rest: Buffer): void
  /** No service could be asked, or none has answered. */
  gaveUp(code: Code, error: unknown): void
}

/** Made once: Node would make an error with a stack for each request that is over. */
const GONE = new EngawaError('CANCELLED')

/** The way of one request to a service: the wait for its agent, a second try where it is safe, and others behind the same name. */
export class Attempts implements Pausable {
  readonly #admission: Admission
  readonly #asked: Asked
  readonly #asker: Asker
  #left = false
  /** Ends the wait for an agent. */
  #waiting: AbortController | undefined
  #tunnel: Tunnel
  #reached: Reached | undefined
  #upstream: Upstream | undefined
  /** How often a service was asked, and whether this one was a second time. */
  #asks = 0
  #askedAgain = false
  /** Those behind the name that have failed this request. */
  #tried: Set<Tunnel> | undefined

  constructor(admission: Admission, asked: Asked, { tunnel, asker }: { tunnel: Tunnel; asker: Asker }) {
    this.#admission = admission
    this.#asked = asked
    this.#asker = asker
    this.#tunnel = tunnel
  }

  /** The one that is asked. */
  get tunnel(): Tunnel {
    return this.#tunnel
  }
  get reached(): Reached | undefined {
    return this.#reached
  }

  begin(): void {
    const tunnel = this.#tunnel
    const reached = this.#admission.reachNow(tunnel, this.#asker.visitor)
    if (reached === undefined) void this.#await(tunnel)
    else this.#try(reached)
  }

  /** The visitor has left. */
  leave(): void {
    this.#left = true
    this.#waiting?.abort(GONE)
  }

  /** Nothing that the service says is wanted any more. */
  destroy(): void {
    this.#upstream?.destroy()
  }

  paused(paused: boolean): void {
    // Its agent may come back, and may not: who need not wait does not.
    if (paused && this.#moveOn()) return
    const { deadlines } = this.#asker
    if (paused) deadlines.stand()
    else deadlines.goOn()
  }

  async #await(tunnel: Tunnel): Promise<void> {
    try {
      const reached = await this.#admission.reach(tunnel, this.#asker.visitor, this.#wait())
      if (!this.#left) this.#try(reached)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** What a request holds while its agent is away. */
  #wait(): { bytes: number; signal: AbortSignal } {
    const { rawHeaders, url = '' } = this.#asked.request
    this.#waiting = new AbortController()
    return { bytes: rawHeaders.reduce((sum, text) => sum + text.length + 2, url.length), signal: this.#waiting.signal }
  }

  #try(reached: Reached): void {
    this.#reached = reached
    try {
      this.#send(reached)
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown, otherwise?: Code): void {
    if (!this.#moveOn()) this.#asker.gaveUp(codeOf(error, otherwise), error)
  }

  /** Gives a request that may be repeated to another of those that share its tunnel's name. False: it may not, or there is none. */
  #moveOn(): boolean {
    const { request, head, upgrade } = this.#asked
    const former = this.#tunnel
    const safe = isRepeatable({ method: request.method ?? '', hasBody: head.hasBody, upgrade: upgrade?.protocol })
    if (!former.balanced || !safe || this.#asker.done) return false
    this.#tried ??= new Set()
    this.#tried.add(former)
    const other = this.#admission.another(former, this.#asker.visitor, this.#tried)
    if (other === undefined) return false
    // What the former one still says is not heard.
    this.#asks++
    this.#askedAgain = false
    this.#asker.deadlines.heard()
    this.#upstream?.destroy()
    this.#upstream = undefined
    former.traffic.open--
    other.traffic.open++
    other.traffic.total++
    this.#tunnel = other
    this.begin()
    return true
  }

  #send(reached: Reached): void {
    const { agent, head, request } = this.#asked
    const { h2c } = reached.tunnel
    this.#asks++
    const outgoing = this.#outgoing(reached)
    const events = this.#eventsOf(reached)
    const upstream = h2c ? agent.h2c.ask(outgoing, events) : askHttp1(outgoing, agent, events)
    this.#upstream = upstream
    // A gRPC service may think for as long as its client lets it, and begin with its first message.
    this.#asker.deadlines.begin(reached.live.link, this, h2c && isGrpc(request))
    if (head.hasBody) this.#pour(upstream, reached)
    else upstream.end()
  }

  #outgoing({ tunnel, live, open }: Reached): Outgoing {
    const { request, head, upgrade } = this.#asked
    const { visitor, known } = this.#asker
    const { trusted, settings } = this.#admission
    const method = request.method ?? 'GET'
    const { rawHeaders: raw, httpVersion: version } = request
    return {
      method,
      path: rewritten(request.url ?? '/', tunnel),
      fields: known.request(visitor, { raw, method, version, upgrade: upgrade?.protocol, tunnel, trusted }),
      hasBody: head.hasBody,
      takesTrailers: tunnel.h2c && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(String(request.headers.te ?? '')),
      upgrade: upgrade?.protocol,
      responseHeadBytes: settings.limits.responseHeadBytes,
      service: known.service(live, visitor.client),
      open,
      promptness: promptnessOf(live),
    }
  }

  /** What comes of the latest ask; a former one is not heard any more. */
  #eventsOf(reached: Reached): UpstreamEvents {
    const ask = this.#asks
    const asker = this.#asker
    const { request } = this.#asked
    return {
      interim: (status, raw) => {
        if (ask === this.#asks) asker.interim(status, raw)
      },
      answered: (incoming) => {
        if (ask === this.#asks) asker.answered(incoming)
        else incoming.destroy()
      },
      switched: (incoming, service, rest) => asker.switched(incoming, service, rest),
      drained: () => request.resume(),
      broke: (error, again) => {
        if (ask === this.#asks) this.#broke(reached, error, again)
      },
    }
  }

  /** The body, as fast as the service takes it. */
  #pour(upstream: Upstream, { live }: Reached): void {
    const { request } = this.#asked
    const asker = this.#asker
    const { deadlines } = asker
    const expects = request.headers.expect !== undefined
    deadlines.pour(() => !request.isPaused() && !live.link.paused && (!expects || asker.sends))
    request.on('data', (chunk: Buffer) => {
      asker.received(chunk.length)
      deadlines.poured(chunk.length)
      if (!upstream.write(chunk)) request.pause()
    })
    request.once('end', () => {
      deadlines.settle()
      try {
        upstream.end(trailerFields(request.rawTrailers, { toService: true }))
      } catch (error) {
        this.#failed(error)
      }
    })
  }

  #broke(reached: Reached, error: Error, again: boolean): void {
    if (!again || this.#askedAgain || this.#asker.done) return this.#failed(error, 'SERVICE_BROKE')
    this.#askedAgain = true
    this.#try(reached)
  }
}
