import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ResponseEvents, VisitorResponse } from '../forward/message.ts'
import { fieldLines, isReason } from './lines.ts'

/** What has come together is written at once from this on; less waits for the end of the turn. */
const FULL_BYTES = 16 * 1024
/** Larger pieces are not copied together with others. */
const COPY_BYTES = 64 * 1024

export interface ResponseOptions {
  /** The request is a HEAD. */
  readonly head: boolean
  /** The connection ends with this answer. */
  readonly last: boolean
  /** Of its connection. */
  readonly lines: AnswerLines
}

/** The lines of an answer's fields, kept for the next one on its connection with the same fields. */
export class AnswerLines {
  /** What the visitor is told of how long its connection is kept. */
  readonly kept: string
  #fields: readonly string[] = []
  #text = ''
  #said: Said = SILENT

  /** `keptS`: seconds. */
  constructor(keptS: number) {
    this.kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${keptS}\r\n`
  }

  /** Throws INTERNAL for what can't be sent. */
  of(fields: readonly string[]): { readonly text: string; readonly said: Said } {
    if (fields !== this.#fields) {
      this.#text = fieldLines(fields)
      this.#said = namesOf(fields)
      this.#fields = fields
    }
    return { text: this.#text, said: this.#said }
  }
}

/** The answer to a visitor's request, on the socket itself: as `ServerResponse` frames it, in as few writes as it takes. */
export class DirectResponse implements VisitorResponse {
  statusCode = 200
  headersSent = false
  destroyed = false
  writableEnded = false
  writableFinished = false
  chunkedEncoding = false
  /** The connection ends with it. */
  last: boolean
  readonly #socket: Socket
  readonly #options: ResponseOptions
  #bodiless = false
  #parts: (string | Buffer)[] = []
  #bytes = 0
  #scheduled = false
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
    if (!isReason(reason) || status < 100 || status > 999) throw new TypeError('a status line that cannot be sent')
    const { text: lines, said } = this.#options.lines.of(fields)
    this.statusCode = status
    this.headersSent = true
    this.#bodiless = this.#options.head || status === 204 || status === 304
    this.chunkedEncoding = !this.#bodiless && !said.length
    if (said.close) this.last = true
    const date = said.date ? '' : `Date: ${now()}\r\n`
    const kept = this.last ? 'Connection: close\r\n' : this.#options.lines.kept
    const chunked = this.chunkedEncoding ? 'Transfer-Encoding: chunked\r\n' : ''
    this.#put(`HTTP/1.1 ${status} ${reason}\r\n${lines}${date}${said.connection ? '' : kept}${chunked}\r\n`)
  }

  write(chunk: Buffer): boolean {
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
    this.#flush((error) => this.#written(error))
  }

  #written(error: Error | null | undefined): void {
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
    this.#flush()
  }
  writeInformation(status: number, fields: Record<string, string[]>): void {
    const all = Object.entries(fields).flatMap(([name, values]) => values.flatMap((value) => [name, value]))
    this.#put(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${fieldLines(all)}\r\n`)
    this.#flush()
  }
  flushHeaders(): void {
    this.#flush()
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

  #put(part: string | Buffer): void {
    this.#parts.push(part)
    this.#bytes += part.length
    if (this.#bytes >= FULL_BYTES) return this.#flush()
    if (this.#scheduled) return
    this.#scheduled = true
    // What follows in this turn, as a small body follows its head, goes in one write with it.
    if (due.length === 0) process.nextTick(flushDue)
    due.push(this)
  }

  /** What waits for the end of the turn. */
  static flush(response: DirectResponse): void {
    response.#scheduled = false
    response.#flush()
  }

  #flush(written?: (error?: Error | null) => void): void {
    const socket = this.#socket
    const parts = this.#parts
    const bytes = this.#bytes
    if (socket.destroyed || (bytes === 0 && written === undefined)) return
    this.#parts = []
    this.#bytes = 0
    const [only] = parts
    if (parts.length === 1 && only instanceof Buffer) return void socket.write(only, written)
    if (bytes <= COPY_BYTES) return void socket.write(joined(parts, bytes), written)
    socket.cork()
    for (const part of parts.slice(0, -1)) socket.write(part, 'latin1')
    socket.write(parts.at(-1) ?? '', 'latin1', written)
    socket.uncork()
  }
}

/** Those with something to write in this turn: one look at all of them, for a carrier brings many answers at a time. */
let due: DirectResponse[] = []

function flushDue(): void {
  const responses = due
  due = []
  for (const response of responses) DirectResponse.flush(response)
}

function call(listeners: readonly (() => void)[] | undefined): void {
  if (listeners !== undefined) for (const listener of listeners) listener()
}

function joined(parts: readonly (string | Buffer)[], bytes: number): Buffer {
  const all = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') all.write(part, at, 'latin1')
    else all.set(part, at)
    at += part.length
  }
  return all
}

interface Said {
  date: boolean
  length: boolean
  connection: boolean
  close: boolean
}

const SILENT: Said = { date: false, length: false, connection: false, close: false }

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
function now(): string {
  const current = Math.floor(Date.now() / 1000)
  if (current !== second) {
    second = current
    text = new Date(current * 1000).toUTCString()
  }
  return text
}
