import { HeadLines } from './head-lines.ts'

/**
 * size: the line before a chunk · data · dataEnd: the line end behind it · trailers: after the last chunk · done ·
 * wrong: it is no chunked body.
 */
type State = 'size' | 'data' | 'dataEnd' | 'trailers' | 'done' | 'wrong'

/** At most 2^52 bytes in one chunk, which is past all counting; zeros before it and extensions are skipped. RFC 9112 §7.1, §7.1.1 */
const SIZE_LINE =
  /^0*([0-9a-f]{1,13})(?:;[!#$%&'*+\-.^_`|~\w]+(?:=(?:[!#$%&'*+\-.^_`|~\w]+|"[\t !#-[\]-~\x80-\xff]*"))?)*\r\n$/i
/** What may become one. */
const SIZE_LINE_BEGUN = /^0*[0-9a-f]{0,13}(?:;[\t\x20-\x7e\x80-\xff]*)?\r?$/i
const SIZE_LINE_BYTES = 512
const TRAILER_BYTES = 16 * 1024
const TRAILER_FIELDS = 100
/** So many pieces of trailers are looked at as they come, later ones when their line has ended: each look begins anew. */
const LOOKS = 64
const LF = 0x0a

/** Finds the payload and the end of a chunked body, however it is cut into pieces. RFC 9112 §7.1 */
export class Chunks {
  /** Names and values in turn, once it is done. */
  trailers: string[] = []
  #state: State = 'size'
  /** What there is so far of a line, or of the trailers. */
  #held = ''
  #left = 0
  #looks = 0

  get done(): boolean {
    return this.#state === 'done'
  }

  /** Hands on the payload of `bytes`, as slices of it. How many bytes belong to the body; undefined: it is none. */
  read(bytes: Uint8Array, data: (payload: Uint8Array) => void): number | undefined {
    let at = 0
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'wrong') return undefined
      if (this.#state === 'data') {
        const payload = bytes.subarray(at, at + this.#left)
        at += payload.length
        this.#left -= payload.length
        if (this.#left === 0) this.#state = 'dataEnd'
        data(payload)
      } else at = this.#line(bytes, at)
    }
    return this.#state === 'wrong' ? undefined : at
  }

  /** Takes the bytes to the next line feed, and what they say when it is there. */
  #line(bytes: Uint8Array, from: number): number {
    const feed = bytes.indexOf(LF, from)
    const to = feed < 0 ? bytes.length : feed + 1
    const most = this.#state === 'trailers' ? TRAILER_BYTES : SIZE_LINE_BYTES
    if (this.#held.length + to - from > most) {
      this.#state = 'wrong'
      return to
    }
    this.#held += Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
    this.#state = feed >= 0 ? this.#next(this.#state) : this.#begun(this.#state)
    return to
  }

  /** A line that can't become one is not waited for. */
  #begun(state: State): State {
    if (state === 'trailers') return ++this.#looks > LOOKS ? state : this.#trailed(this.#held)
    return (state === 'dataEnd' ? this.#held === '\r' : SIZE_LINE_BEGUN.test(this.#held)) ? state : 'wrong'
  }

  #next(state: State): State {
    const line = this.#held
    if (state === 'trailers') return this.#trailed(line)
    this.#held = ''
    if (state === 'dataEnd') return line === '\r\n' ? 'size' : 'wrong'
    const size = SIZE_LINE.exec(line)?.[1]
    if (size === undefined) return 'wrong'
    this.#left = Number.parseInt(size, 16)
    return this.#left === 0 ? 'trailers' : 'data'
  }

  #trailed(text: string): State {
    const lines = new HeadLines(Buffer.from(text, 'latin1'))
    const offsets = lines.fields(TRAILER_FIELDS)
    if (offsets === 'more') return 'trailers'
    if (offsets === 'other' || lines.at !== text.length) return 'wrong'
    this.trailers = lines.texts(offsets)
    // It would say where the body ends when it has ended.
    const misplaced = this.trailers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-length')
    return misplaced ? 'wrong' : 'done'
  }
}
