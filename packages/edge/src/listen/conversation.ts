import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Code } from '@engawa/shared/errors'
import { breakOff } from '@engawa/shared/stream/splice'
import { refusedEntry } from '../access/asked.ts'
import type { Admission, Visitor } from '../admit.ts'
import { answer, rawAnswer } from '../forward/answers.ts'
import type { Asked } from '../forward/asked.ts'
import { Countdown } from '../forward/countdown.ts'
import { Exchange } from '../forward/exchange.ts'
import { clientBehind } from '../forward/headers.ts'
import { KnownFields } from '../forward/known.ts'
import type { VisitorRequest, VisitorResponse } from '../forward/message.ts'
import type { Pages } from '../forward/pages.ts'
import { Pauses } from '../forward/pauses.ts'
import { ServiceAgent } from '../forward/service.ts'
import { type CheckedHead, checkHead } from '../guard/head.ts'

/** Requests sent ahead on one connection before the answers to the earlier ones; each keeps its head in memory. */
const PIPELINED = 128
/** A visitor that has ended its direction gets this much time between two bytes of the answer: it may just as well be gone. */
const HALF_CLOSED_MS = 10_000
/** How long what comes behind the last answer is read and dropped: to close over unread bytes would be a RST, which may overtake the answer. RFC 9112 §9.6 */
const LINGER_MS = 5000

/** One HTTP/1.1 connection of a visitor: its requests, one after another, and the service connection they share. */
export class Conversation {
  readonly visitor: Visitor
  readonly agent: ServiceAgent = new ServiceAgent()
  readonly known: KnownFields = new KnownFields()
  readonly #admission: Admission
  readonly #socket: Socket
  readonly #wire: Socket
  readonly #waiting: { readonly request: IncomingMessage; readonly turn: () => Promise<void> }[] = []
  #current: VisitorRequest | undefined
  #last = false
  #headDue: NodeJS.Timeout | undefined
  readonly #cut = (): void => this.cut()
  readonly #silence: Countdown
  readonly #pauses = new Pauses()
  #exchange: Exchange | undefined

  /** `wire`: the TCP socket itself, below TLS if there is any. */
  constructor(admission: Admission, { visitor, socket, wire }: { visitor: Visitor; socket: Socket; wire: Socket }) {
    this.#admission = admission
    this.visitor = visitor
    this.#socket = socket
    this.#wire = wire
    const ms = admission.settings.limits.responseHeadMs
    this.#silence = new Countdown(ms, () => this.#exchange?.timedOut(), { kept: true })
    socket.once('close', () => {
      this.agent.destroy()
      this.#silence.dispose()
      this.#pauses.dispose()
    })
    socket.once('end', this.#watchHalfClosed)
    // Whoever answers calls it behind the last answer, Node's server as well as ours.
    const destroySoon = socket.destroySoon.bind(socket)
    socket.destroySoon = () => this.#leave(destroySoon)
  }

  #leave(destroySoon: () => void): void {
    const request = this.#current
    const socket = this.#socket
    if (request === undefined || request.complete || socket.destroyed) return destroySoon()
    socket.end()
    const timer = setTimeout(this.#cut, LINGER_MS).unref()
    socket.once('close', () => clearTimeout(timer))
    request.once('close', destroySoon)
  }

  /** The socket speaks another protocol from now on. */
  leave(): void {
    this.#socket.off('end', this.#watchHalfClosed)
  }

  get busy(): boolean {
    return this.#current !== undefined
  }

  /** One request, read by who waits for its end before the next. `over`: nothing of it is left. */
  serve(head: CheckedHead, request: VisitorRequest, response: VisitorResponse, over: () => void): void {
    this.#current = request
    this.#exchangeOf({ head, request, response }).run(() => {
      this.#current = undefined
      this.#exchange = undefined
      if (this.#last) this.#socket.end()
      over()
    })
  }

  #exchangeOf(asked: Pick<Asked, 'head' | 'request' | 'response' | 'upgrade'>): Exchange {
    const { visitor, agent, known } = this
    const { head, request, response, upgrade } = asked
    const silence = this.#silence
    const pauses = this.#pauses
    const own = { visitor, head, request, response, agent, known, silence, pauses, cut: this.#cut }
    this.#exchange = new Exchange(this.#admission, upgrade === undefined ? own : { ...own, upgrade })
    return this.#exchange
  }

  /** Node begins to count anew; whoever has used up its time with another reader has no more than the rest. */
  expectHead(withinMs: number): void {
    this.#headDue = setTimeout(() => this.refuse('REQUEST_TIMEOUT'), Math.max(1, withinMs)).unref()
    this.#socket.once('close', () => clearTimeout(this.#headDue))
  }

  /** Node parses requests ahead of their answers; they are forwarded strictly in turn. */
  take(request: IncomingMessage, response: ServerResponse, upgrade?: Asked['upgrade']): void {
    clearTimeout(this.#headDue)
    const head = checkHead(request, this.#admission.settings.limits)
    const turn = async (): Promise<void> => {
      // The answer before was the last on this connection: what came behind it is not for us to read.
      if (response.destroyed || !this.#socket.writable) return
      if (typeof head === 'string') {
        this.account(request, head)
        return refuse(request, response, head, this.#admission.pages)
      }
      const asked = { head, request, response, ...(upgrade && { upgrade }) }
      await new Promise<void>((resolve) => this.#exchangeOf(asked).run(resolve))
      this.#exchange = undefined
    }
    if (this.#waiting.length >= PIPELINED) return this.cut()
    this.#waiting.push({ request, turn })
    if (!this.busy) void this.#work()
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#current = next.request
      // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
      await next.turn()
    }
    this.#current = undefined
    if (this.#last) this.#socket.end()
  }

  /** Tells of a request that is refused before it is anybody's. */
  account(request: IncomingMessage | undefined, code: Code): void {
    clearTimeout(this.#headDue)
    const { peer, secure } = this.visitor
    const address = clientBehind(peer, request?.rawHeaders ?? [], this.#admission.trusted)
    this.#admission.account(refusedEntry({ address, secure }, request, code))
  }

  /** What came is no request, or came too late: a last word, then the end. */
  refuse(code: Code): void {
    clearTimeout(this.#headDue)
    this.account(undefined, code)
    this.#socket.end(rawAnswer(code), () => this.#socket.destroy())
  }

  /** What runs may finish; then the connection ends. */
  drain(): void {
    this.#last = true
  }

  /** From here on it is no HTTP. What came whole before is still answered; a torn body, which only the latest request can have, is not. */
  garbled(): void {
    if (this.#current?.complete !== true) return this.cut()
    if (this.#waiting.at(-1)?.request.complete === false) this.#waiting.pop()
    this.drain()
  }

  /** RST: without it a cut answer could be taken for a whole one. */
  cut(): void {
    // Below TLS that has sent its end a reset would fail; without close_notify it says the same.
    if (this.#wire === this.#socket || !this.#socket.writableEnded) breakOff(this.#wire)
    this.#socket.destroy()
  }

  /** A visitor that has said FIN may wait for its answer, or be gone. As long as the answer moves it is there. */
  readonly #watchHalfClosed = (): void => {
    // Below an Upgrade that was not taken up Node's parser is silent about a body that breaks off.
    if ((this.#waiting.at(-1)?.request ?? this.#current)?.complete === false) return this.garbled()
    let written = this.#wire.bytesWritten
    const timer = setInterval(() => {
      if (this.#wire.bytesWritten === written) this.cut()
      written = this.#wire.bytesWritten
    }, HALF_CLOSED_MS)
    this.#socket.once('close', () => clearInterval(timer))
  }
}

/** Resolves when the connection is on its way down, so that nothing behind the request is served. */
function refuse(request: IncomingMessage, response: ServerResponse, code: Code, pages: Pages): Promise<void> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  answer(request, response, code, { close: true, pages })
  return closed
}
