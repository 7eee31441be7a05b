import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ResponseEvents, VisitorResponse } from '../forward/message.ts'
import type { Awaiting, Gathering } from './gathering.ts'
import { fieldLines, isReason, KNOWN_BYTES } from './lines.ts'

export interface ResponseOptions {
  /** The request is a HEAD. */
  readonly head: boolean
  /** The connection ends with this answer. */
  readonly last: boolean
  /** Of its connection. */
  readonly heads: AnswerHeads
  readonly gathering: Gathering
}

/** What an answer's head is made of. */
interface Begun {
  readonly status: number
  readonly reason: string
  readonly fields: readonly string[]
  /** It has a body. */
  readonly bodied: boolean
  readonly last: boolean
}

/** A head as it goes out. */
interface Made extends Begun {
  readonly bytes: Buffer
  readonly chunked: boolean
  /** Its connection ends with it. */
  readonly closes: boolean
  /** Of its Date. */
  readonly second: number
}

/** The heads of a connection's answers. The next one is often the same. */
export class AnswerHeads {
  /** What the visitor is told of how long its connection is kept. */
  readonly #kept: string
  #made: Made | undefined

  /** `keptS`: seconds. */
  constructor(keptS: number) {
    this.#kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${keptS}\r\n`
  }

  /** Its bytes are not to be changed. Throws INTERNAL or a TypeError for what can't be sent. */
  of(begun: Begun): Made {
    const { status, reason, fields, bodied, last } = begun
    const second = Math.floor(Date.now() / 1000)
    const made = this.#made
    if (
      made?.fields === fields &&
      made.status === status &&
      made.reason === reason &&
      made.bodied === bodied &&
      made.last === last &&
      made.second === second
    )
      return made
    if (!isReason(reason) || status < 100 || status > 999) throw new TypeError('a status line that cannot be sent')
    const lines = fieldLines(fields)
    const said = namesOf(fields)
    const chunked = bodied && !said.length
    const closes = last || said.close
    const date = said.date ? '' : `Date: ${dateAt(second)}\r\n`
    const connection = said.connection ? '' : closes ? 'Connection: close\r\n' : this.#kept
    const encoding = chunked ? 'Transfer-Encoding: chunked\r\n' : ''
    const text = `HTTP/1.1 ${status} ${reason}\r\n${lines}${date}${connection}${encoding}\r\n`
    // Not from the pool: it stays, and would keep the rest of it.
    const bytes = Buffer.allocUnsafeSlow(text.length)
    bytes.write(text, 'latin1')
    const fresh = { ...begun, bytes, chunked, closes, second }
    if (bytes.length <= KNOWN_BYTES) this.#made = fresh
    return fresh
  }
}

/** The answer to a visitor's request, on the socket itself: as `ServerResponse` frames it, in as few writes as it takes. */
export class DirectResponse implements VisitorResponse, Awaiting {
  statusCode = 200
  headersSent = false
  destroyed = false
  writableEnded = false
  writableFinished = false
  chunkedEncoding = false
  readonly copies = true
  /** The connection ends with it. */
  last: boolean
  readonly #socket: Socket
  readonly #options: ResponseOptions
  #bodiless = false
  #scheduled = false
  /** The kernel has all of it. */
  #gone = false
  #trailers = ''
  #events: ResponseEvents | undefined
  #onDrain: (() => void)[] | undefined
  #onFinish: (() => void)[] | undefined
  #onClose: (() => void)[] | undefined

  constructor(socket: Socket, options: ResponseOptions) {
    this.#socket = socket
    this.#options = options
    this.last = options.last
  }

  writeHead(status: number, message: string | undefined, fields: string[]): void {
    const reason = message ?? STATUS_CODES[status] ?? 'unknown'
    const { head, heads } = this.#options
    const bodied = !head && status !== 204 && status !== 304
    const made = heads.of({ status, reason, fields, bodied, last: this.last })
    this.statusCode = status
    this.headersSent = true
    this.#bodiless = !bodied
    this.chunkedEncoding = made.chunked
    if (made.closes) this.last = true
    this.#put(made.bytes)
  }

  /** `chunk` is the caller's again when it returns. */
  write(chunk: Uint8Array): boolean {
    if (!this.#bodiless && chunk.length > 0 && !this.destroyed) {
      if (this.chunkedEncoding) this.#put(`${chunk.length.toString(16)}\r\n`)
      this.#put(chunk)
      if (this.chunkedEncoding) this.#put('\r\n')
    }
    return !this.#socket.writableNeedDrain
  }

  end(body?: string): void {
    if (this.writableEnded || this.destroyed) return
    if (body !== undefined) this.write(Buffer.from(body))
    if (this.chunkedEncoding) this.#put(`0\r\n${this.#trailers}\r\n`)
    this.writableEnded = true
    this.#gone = this.#options.gathering.flush(this)
    if (this.#gone) this.#lookSoon()
  }

  written(error?: Error | null): void {
    if (error instanceof Error || this.destroyed) return
    this.writableFinished = true
    this.#events?.finished()
    call(this.#onFinish)
    if (this.last) this.#socket.destroySoon()
    this.closed()
  }

  addTrailers(fields: [string, string][]): void {
    this.#trailers += fieldLines(fields.flat())
  }
  writeContinue(): void {
    this.#put('HTTP/1.1 100 Continue\r\n\r\n')
    this.flushHeaders()
  }
  writeInformation(status: number, fields: Record<string, string[]>): void {
    const all = Object.entries(fields).flatMap(([name, values]) => values.flatMap((value) => [name, value]))
    this.#put(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${fieldLines(all)}\r\n`)
    this.flushHeaders()
  }
  flushHeaders(): void {
    this.#options.gathering.flush()
  }

  on(_event: 'drain', listener: () => void): this {
    ;(this.#onDrain ??= []).push(listener)
    return this
  }
  once(event: 'close' | 'finish', listener: () => void): this {
    if (event === 'close') (this.#onClose ??= []).push(listener)
    else (this.#onFinish ??= []).push(listener)
    return this
  }
  follow(events: ResponseEvents): void {
    this.#events = events
  }

  /** The socket takes more. */
  drained(): void {
    this.#events?.drained()
    call(this.#onDrain)
  }

  /** It has gone out, or the socket has closed before. */
  closed(): void {
    if (this.destroyed) return
    this.destroyed = true
    const listeners = this.#onClose
    this.#onClose = undefined
    this.#events?.closed()
    call(listeners)
  }

  #put(part: string | Uint8Array): void {
    if (this.#socket.destroyed) return
    this.#options.gathering.put(part)
    // What follows in this turn, as a small body follows its head, goes in one write with it.
    this.#lookSoon()
  }

  #lookSoon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (due.length === 0) process.nextTick(lookAtDue)
    due.push(this)
  }

  /** The end of the turn: what waited for it goes out, and who has gone out is done. */
  static look(response: DirectResponse): void {
    response.#scheduled = false
    if (response.destroyed) return
    if (response.#gone) response.written()
    else response.flushHeaders()
  }
}

/** Those with something to do at the end of this turn: one look at all of them, for a carrier brings many answers at a time. */
let due: DirectResponse[] = []

function lookAtDue(): void {
  const responses = due
  due = []
  for (const response of responses) DirectResponse.look(response)
}

function call(listeners: readonly (() => void)[] | undefined): void {
  if (listeners !== undefined) for (const listener of listeners) listener()
}

interface Said {
  date: boolean
  length: boolean
  connection: boolean
  close: boolean
}

function namesOf(fields: readonly string[]): Said {
  const said = { date: false, length: false, connection: false, close: false }
  for (let at = 0; at < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase()
    if (name === 'date') said.date = true
    else if (name === 'content-length') said.length = true
    else if (name === 'connection') {
      said.connection = true
      said.close ||= /(?:^|,)\s*close\s*(?:,|$)/i.test(fields[at + 1] ?? '')
    }
  }
  return said
}

let second = 0
let text = ''

/** For the Date field; the same for a second. */
function dateAt(current: number): string {
  if (current !== second) {
    second = current
    text = new Date(current * 1000).toUTCString()
  }
  return text
}
