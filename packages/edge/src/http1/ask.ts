import { EngawaError } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import {
  type BodyReader,
  isRepeatable,
  type Outgoing,
  type ServiceAnswer,
  type Upstream,
  type UpstreamEvents,
} from '../forward/upstream.ts'
import { AnswerBody } from './answer-body.ts'
import { fieldLines, KNOWN_BYTES } from './lines.ts'
import { replay } from './replay.ts'
import { type KnownHead, type ResponseHead, readResponseHead } from './response-head.ts'

/** Small payloads go in one piece with the lines around them. */
const JOIN_BYTES = 8 * 1024
/** A head that comes in more pieces is read by Node, which does not begin anew with each: a service may send it byte by byte. */
const PIECES = 64
const PATH = /^[\x21-\xff]+$/

/** The head of a request as it goes to the service. `lines`: what follows its first one. Throws INTERNAL for what can't be one. */
export function requestHead({ method, path }: Outgoing, lines: Uint8Array): Buffer {
  if (!PATH.test(path)) throw new EngawaError('INTERNAL', 'a path that cannot be sent')
  const line = `${method} ${path} HTTP/1.1\r\n`
  const head = Buffer.allocUnsafe(line.length + lines.length)
  head.write(line, 0, 'latin1')
  head.set(lines, line.length)
  return head
}

/** head: of the answer, awaited · body: it comes · replayed: Node reads the answer · over: nothing is to come of it. */
type Phase = 'head' | 'body' | 'replayed' | 'over'

/** kept: it may be asked again · ended: this was its last request · taken: another has its stream. */
export type Left = 'kept' | 'ended' | 'taken'

/** The head of the answer before, on any connection of the same visitor. */
export interface AnswerMemory {
  known: KnownHead | undefined
}

export interface AskOptions {
  readonly stream: Stream
  /** Its head as sent. */
  readonly head: Buffer
  readonly events: UpstreamEvents
  /** The connection has carried a request before. */
  readonly reused: boolean
  readonly memory: AnswerMemory
  /** Nothing of it is to come. What becomes of the connection, and the answer's Keep-Alive. */
  readonly over: (left: Left, keepAlive?: string) => void
}

/** One request on a service connection, and its answer. */
export class Ask implements Upstream, ServiceAnswer {
  readonly #outgoing: Outgoing
  readonly #options: AskOptions
  readonly #chunked: boolean
  #phase: Phase = 'head'
  /** The whole request has gone out. */
  #sent = false
  #heard = false
  #held: Buffer | undefined
  #pieces = 0
  #head: ResponseHead | undefined
  #body: AnswerBody | undefined
  #reader: BodyReader | undefined
  #retired = false
  #endReplay: (() => void) | undefined
  readonly #askedAt: number = performance.now()

  constructor(outgoing: Outgoing, options: AskOptions) {
    this.#outgoing = outgoing
    this.#options = options
    this.#chunked = outgoing.hasBody && isChunked(outgoing.fields)
    options.stream.write(options.head)
  }

  write(chunk: Buffer): boolean {
    const { stream } = this.#options
    if (this.#phase === 'over' || this.#sent || stream.closed || chunk.length === 0) return true
    if (!this.#chunked) stream.write(chunk)
    else {
      const parts = [Buffer.from(`${chunk.length.toString(16)}\r\n`, 'latin1'), chunk, Buffer.from('\r\n')]
      if (chunk.length <= JOIN_BYTES) stream.write(Buffer.concat(parts))
      else for (const part of parts) stream.write(part)
    }
    return stream.room > 0
  }

  end(trailers: [string, string][] = []): void {
    if (this.#phase === 'over' || this.#sent) return
    const { stream } = this.#options
    if (this.#chunked && !stream.closed) stream.write(Buffer.from(`0\r\n${fieldLines(trailers.flat())}\r\n`, 'latin1'))
    this.#sent = true
    this.#settle()
  }

  destroy(): void {
    if (this.#phase === 'over') return
    this.#break()
  }

  /** Bytes of the stream, lent. */
  data(bytes: Uint8Array): void {
    this.#heard = true
    if (this.#phase === 'head') this.#readHead(bytes)
    else if (this.#phase === 'body') this.#readBody(bytes)
    else this.#options.stream.consumed(bytes.length)
  }

  /** The service has ended its direction. */
  hungUp(): void {
    if (this.#phase !== 'body' || this.#body?.end() !== true) return this.failed(new EngawaError('SERVICE_BROKE'))
    this.#retired = true
    this.#settle()
  }

  /** The stream is gone, or what comes on it is no answer. */
  failed(error: EngawaError): void {
    const phase = this.#phase
    if (phase === 'over') return
    // All of it is here, and only waits for the visitor. A service may answer before it has read all, and let go.
    if (phase === 'body' && this.#body?.complete === true) {
      this.#retired = true
      // If the visitor has it too: an upload that waits for room is told of none any more.
      return this.#settle()
    }
    this.#break()
    const { events, reused } = this.#options
    if (phase === 'head') events.broke(error, reused && !this.#heard && isRepeatable(this.#outgoing))
    else this.#reader?.failed(error)
  }

  drained(): void {
    if (this.#phase !== 'over') this.#options.events.drained()
  }

  #readHead(bytes: Uint8Array): void {
    const { stream, events, memory } = this.#options
    const { method, responseHeadBytes: most } = this.#outgoing
    const toHead = method === 'HEAD'
    let rest = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes])
    this.#held = undefined
    while (this.#phase === 'head') {
      const head = readResponseHead(rest, { head: toHead, most, known: memory.known })
      if (head === 'more' || head === 'other') {
        stream.consumed(bytes.length)
        if (head === 'more' && ++this.#pieces <= PIECES) this.#held = Buffer.from(rest)
        else this.#replay(Buffer.from(rest))
        return
      }
      if (head.status >= 200 && head !== memory.known?.head) {
        const text = rest.subarray(0, head.bytes)
        memory.known = text.length > KNOWN_BYTES ? undefined : { head, text: new Uint8Array(text), toHead }
      }
      rest = rest.subarray(head.bytes)
      if (head.status >= 200) {
        stream.consumed(bytes.length - rest.length)
        return this.#begin(head, rest)
      }
      events.interim(head.status, head.rawHeaders)
    }
    stream.consumed(bytes.length)
  }

  #begin(head: ResponseHead, rest: Uint8Array): void {
    const { stream, events } = this.#options
    const now = performance.now()
    this.#outgoing.promptness.heard(now - this.#askedAt, now)
    this.#head = head
    this.#phase = 'body'
    this.#retired = !head.keeps
    this.#body = new AnswerBody(head.framing, stream)
    events.answered(this)
    if (this.#phase !== 'body') stream.consumed(rest.length)
    else if (rest.length > 0) this.#readBody(rest)
    else this.#settle()
  }

  #readBody(bytes: Uint8Array): void {
    const body = this.#body as AnswerBody
    if (!body.take(bytes)) return this.failed(new EngawaError('SERVICE_BROKE', 'no chunked body'))
    // Who sends more than it announced might answer the next request with it.
    if (body.excess) this.#retired = true
    this.#settle()
  }

  /** The answer may be whole, and the request sent. */
  #settle(): void {
    const body = this.#body
    if (this.#phase !== 'body' || body?.done !== true) return
    const reader = this.#reader
    this.#reader = undefined
    if (this.#sent || this.#retired) {
      this.#phase = 'over'
      if (!this.#sent) this.#options.stream.reset('CANCELLED')
      this.#options.over(this.#sent && !this.#retired ? 'kept' : 'ended', this.#head?.keepAlive)
    }
    reader?.end()
  }

  // The answer, from `answered` on.

  readonly lends = true

  get status(): number {
    return this.#head?.status ?? 0
  }
  get message(): string | undefined {
    return this.#head?.message
  }
  get rawHeaders(): readonly string[] {
    return this.#head?.rawHeaders ?? []
  }
  get rawTrailers(): readonly string[] {
    return this.#body?.trailers ?? []
  }
  get mayHaveTrailers(): boolean {
    return this.#head?.framing.kind === 'chunked'
  }
  /** It had no body from the start. */
  get ended(): boolean {
    return this.#body?.empty === true
  }
  read(reader: BodyReader): void {
    this.#reader = reader
    this.#body?.read(reader)
  }
  pause(): void {
    this.#body?.pause()
  }
  resume(): void {
    this.#body?.resume()
    this.#settle()
  }
  retire(): void {
    this.#retired = true
  }

  /** What is not for a strict reader is read by Node's, from its first byte. The connection ends with it. */
  #replay(bytes: Buffer): void {
    this.#phase = 'replayed'
    const { stream, events, over } = this.#options
    this.#endReplay = replay(bytes, { stream, outgoing: this.#outgoing, events })
    over('taken')
  }

  #break(): void {
    const { stream, over } = this.#options
    const replayed = this.#phase === 'replayed'
    this.#phase = 'over'
    this.#body?.drop()
    if (replayed) return this.#endReplay?.()
    stream.reset('CANCELLED')
    over('ended')
  }
}

function isChunked(fields: readonly string[]): boolean {
  return fields.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'transfer-encoding')
}
