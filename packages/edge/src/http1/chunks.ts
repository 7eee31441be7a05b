import { HeadLines } from './head-lines.ts'

/**
 * size: the line before a chunk · data · dataEnd: the line end behind it · trailers: after the last chunk · done ·
 * wrong: it is no chunked body.
 */
type State = 'size' | 'data' | 'dataEnd' | 'trailers' | 'done' | 'wrong'

/** At most 4 GiB in one chunk; an extension is skipped, but nobody has a use for a long one. RFC 9112 §7.1 */
const SIZE_LINE = /^([0-9a-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/i
const SIZE_LINE_BYTES = 512
const TRAILER_BYTES = 16 * 1024
const TRAILER_FIELDS = 100
const LF = 0x0a

/** Finds the payload and the end of a chunked body, however it is cut into pieces. RFC 9112 §7.1 */
export class Chunks {
  /** Names and values in turn, once it is done. */
  trailers: string[] = []
  #state: State = 'size'
  /** What there is so far of a line, or of the trailers. */
  #held = ''
  #left = 0

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
    this.#held += Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).latin1Slice()
    if (feed >= 0) this.#state = this.#next(this.#state)
    return to
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
    if (text !== '\r\n' && !text.endsWith('\r\n\r\n')) return 'trailers'
    const lines = new HeadLines(Buffer.from(text, 'latin1'))
    const offsets = lines.fields(TRAILER_FIELDS)
    if (typeof offsets === 'string' || lines.at !== text.length) return 'wrong'
    this.trailers = lines.texts(offsets)
    return 'done'
  }
}
