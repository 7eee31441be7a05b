import type { Socket } from 'node:net'
import type { Millis } from '@engawa/shared/mux/events'
import { readAsData, readInto } from '@engawa/shared/stream/onread'
import { type CheckedHead, checkFields, checkLine } from '../guard/head.ts'
import type { VisitorLimits } from '../guard/limits.ts'
import type { Conversation } from '../listen/conversation.ts'
import { Gathering } from './gathering.ts'
import { KNOWN_BYTES } from './lines.ts'
import { type RequestFields, readRequestHead } from './request-head.ts'
import { CountedRequest } from './visitor-request.ts'
import { AnswerHeads, DirectResponse } from './visitor-response.ts'

/** A head that comes in more pieces is read by Node, which does not begin anew with each. */
const PIECES = 8
const NOTHING = Buffer.alloc(0)
/** What one read of a visitor brings at most. */
const READ_BYTES = 64 * 1024
/** All of them read into this one, one after the other: what is kept is copied. */
let common: Buffer | undefined

export interface VisitorConnectionOptions {
  readonly socket: Socket
  readonly conversation: Conversation
  readonly limits: VisitorLimits
  /** Each answer is the last of its connection. */
  readonly draining: () => boolean
  /** What was read is unshifted, nothing flows, and nobody listens: for a parser that reads all of HTTP/1.1. By then the head is due at `headDueAt`. */
  readonly handOver: (headDueAt: Millis) => void
  /** It ended, or was handed over. */
  readonly left: () => void
}

/** head: of the next request · exchange: a request and its answer · gone: closed, or another's. */
type Phase = 'head' | 'exchange' | 'gone'

/**
 * A visitor's connection as long as a strict reader understands every head on it. The first one that it does not is handed
 * over with all that follows, from its first byte on.
 */
export class VisitorConnection {
  readonly #options: VisitorConnectionOptions
  #phase: Phase = 'head'
  #held: Buffer = NOTHING
  #pieces = 0
  #request: CountedRequest | undefined
  #response: DirectResponse | undefined
  #served = false
  /** The fields of the request before, which were checked then. */
  #known: { readonly fields: RequestFields; readonly checked: CheckedHead } | undefined
  readonly #heads: AnswerHeads
  readonly #gathering: Gathering
  /** The head in the making is due then, or the connection has been idle for too long. */
  #dueAt: Millis

  constructor(options: VisitorConnectionOptions) {
    this.#options = options
    this.#dueAt = performance.now() + options.limits.requestHeadMs
    this.#heads = new AnswerHeads(Math.floor(options.limits.keepAliveIdleMs / 1000))
    const { socket } = options
    this.#gathering = new Gathering(socket)
    socket.on('data', this.#read)
    socket.on('end', this.#ended)
    socket.on('drain', this.#drained)
    socket.once('close', this.#closed)
    common ??= Buffer.allocUnsafeSlow(READ_BYTES)
    const buffer = common
    readInto(socket, buffer, (count) => {
      this.#read(buffer.subarray(0, count))
      return undefined
    })
  }

  /** What is overdue ends. */
  look(now: Millis): void {
    if (this.#phase !== 'head' || now < this.#dueAt) return
    const { socket, conversation } = this.#options
    if (this.#served && this.#held.length === 0) socket.destroy()
    else conversation.refuse('REQUEST_TIMEOUT')
  }

  /** An idle one ends; one that has not yet asked anything, or is being answered, may finish. */
  drain(): void {
    if (this.#phase === 'head' && this.#served && this.#held.length === 0) this.#options.socket.destroy()
  }

  /** Bytes of the visitor, lent. */
  readonly #read = (bytes: Buffer): void => {
    if (this.#phase === 'head')
      return this.#readHead(this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]))
    const request = this.#request
    const taken = request === undefined || request.complete ? 0 : request.take(bytes)
    if (taken < bytes.length) this.#putBack(bytes.subarray(taken))
    this.#next()
  }

  /** Nothing is read ahead of an answer: what a visitor sends before it waits in the socket. */
  #putBack(bytes: Buffer): void {
    const { socket } = this.#options
    socket.pause()
    socket.unshift(Buffer.from(bytes))
  }

  #readHead(bytes: Buffer): void {
    const { limits, socket, draining } = this.#options
    const { requestFields, requestHeadBytes: most } = limits
    const known = this.#known
    const head = readRequestHead(bytes, { fields: requestFields, most, known: known?.fields })
    if (head === 'more' && this.#pieces < PIECES) {
      if (this.#served && this.#held.length === 0) this.#dueAt = performance.now() + limits.requestHeadMs
      this.#held = Buffer.from(bytes)
      this.#pieces++
      return
    }
    if (head === 'more' || head === 'other') return this.#handOver(bytes)
    const request = new CountedRequest(head, socket)
    const checked = checkLine(request, limits) ?? (head.fields === known?.fields ? known.checked : checkFields(request))
    // Node comes to the same end, and knows how to say it.
    if (typeof checked === 'string') return this.#handOver(bytes)
    if (head.fields !== known?.fields)
      this.#known = head.fields.text.length > KNOWN_BYTES ? undefined : { fields: head.fields, checked }
    this.#held = NOTHING
    this.#pieces = 0
    this.#phase = 'exchange'
    const last = head.fields.last || draining()
    const heads = this.#heads
    const gathering = this.#gathering
    const response = new DirectResponse(socket, { head: head.method === 'HEAD', last, heads, gathering })
    this.#request = request
    this.#response = response
    this.#options.conversation.serve(checked, request, response, this.#over)
    if (head.bytes < bytes.length && this.#stillServes()) this.#read(bytes.subarray(head.bytes))
  }

  /** Nothing is left of the exchange. */
  readonly #over = (): void => {
    this.#response = undefined
    this.#next()
  }

  #stillServes(): boolean {
    return this.#phase === 'exchange'
  }

  /** Once the answer is out, and the whole request has come. */
  #next(): void {
    if (this.#phase !== 'exchange' || this.#response !== undefined || this.#request?.complete !== true) return
    const { socket, limits } = this.#options
    this.#request = undefined
    if (!socket.writable) return
    this.#phase = 'head'
    this.#served = true
    this.#dueAt = performance.now() + limits.keepAliveIdleMs
    if (socket.isPaused()) socket.resume()
  }

  #handOver(bytes: Buffer): void {
    const { socket, handOver } = this.#options
    const headDueAt =
      this.#served && this.#held.length === 0 ? performance.now() + this.#options.limits.requestHeadMs : this.#dueAt
    this.#leave()
    socket.pause()
    readAsData(socket)
    socket.unshift(Buffer.from(bytes))
    handOver(headDueAt)
  }

  #leave(): void {
    const { socket, left } = this.#options
    this.#phase = 'gone'
    socket.off('data', this.#read)
    socket.off('end', this.#ended)
    socket.off('drain', this.#drained)
    socket.off('close', this.#closed)
    left()
  }

  readonly #drained = (): void => this.#response?.drained()

  readonly #ended = (): void => {
    const { socket, conversation } = this.#options
    if (this.#phase === 'exchange') {
      if (this.#request?.complete === false) conversation.cut()
      else if (this.#response !== undefined) this.#response.last = true
    } else if (this.#held.length > 0) conversation.refuse('REQUEST_INVALID')
    else socket.end()
  }

  readonly #closed = (): void => {
    const [request, response] = [this.#request, this.#response]
    this.#leave()
    response?.closed()
    request?.closed()
  }
}
