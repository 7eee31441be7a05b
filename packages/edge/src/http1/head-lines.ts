/** What a byte may be a part of, as bits. */
const TOKEN = 1
const VALUE = 2
const TARGET = 4

const SPACE = 0x20
const TAB = 0x09
const COLON = 0x3a

const KINDS: Uint8Array = kindsOf()

/** RFC 9110 §5.6.2 and §5.5 (with obs-text, which is Latin-1 to Node), RFC 9112 §3.2.1. */
function kindsOf(): Uint8Array {
  const kinds = new Uint8Array(256)
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code)
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) kinds[code] = TOKEN
    if (/[\t\x20-\x7e\x80-\xff]/.test(character)) kinds[code] = (kinds[code] ?? 0) | VALUE
    if (/[\x21\x22\x24-\x7e]/.test(character)) kinds[code] = (kinds[code] ?? 0) | TARGET
  }
  return kinds
}

/** `more`: so far it is right, but not whole; `other`: it is not for a strict reader. */
export type Unread = 'more' | 'other'

/** Reads the lines of a head in turn, each exactly as RFC 9112 wants it, nothing that it merely tolerates. */
export class HeadLines {
  /** The next byte to read. */
  at = 0
  /** A tab was met behind a value: to Node, `chunked` with one is another encoding. */
  tabbed = false
  readonly #bytes: Uint8Array
  #text: string | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The bytes between two offsets that were read: ASCII, or Latin-1. */
  text(from: number, to: number): string {
    // One long text and slices of it cost less than a call into C++ for each name and value.
    this.#text ??= latin1(this.#bytes, this.at)
    return this.#text.slice(from, to)
  }

  /** Whether `expected` (ASCII) comes next; what is there of it is taken. */
  takes(expected: string): true | Unread {
    const bytes = this.#bytes
    for (let index = 0; index < expected.length; index++) {
      if (this.at === bytes.length) return 'more'
      if (bytes[this.at] !== expected.charCodeAt(index)) return 'other'
      this.at++
    }
    return true
  }

  /** Whether the very same bytes come next; then they are taken. */
  repeats(expected: Uint8Array): boolean {
    const bytes = this.#bytes
    const { at } = this
    const end = at + expected.length
    if (end > bytes.length) return false
    // From the end: what differs is seldom the first of them.
    for (let from = end - 1, index = expected.length - 1; index >= 0; from--, index--)
      if (bytes[from] !== expected[index]) return false
    this.at = end
    return true
  }

  /** Skips bytes of a target; false: none are left. */
  skipTarget(): boolean {
    return this.#skip(TARGET)
  }

  /** Skips what a value or a reason may hold; false: none are left. */
  skipValue(): boolean {
    return this.#skip(VALUE)
  }

  #skip(kind: number): boolean {
    const bytes = this.#bytes
    let { at } = this
    while (at < bytes.length && ((KINDS[bytes[at] ?? 0] ?? 0) & kind) !== 0) at++
    this.at = at
    return at < bytes.length
  }

  /**
   * The field lines and the empty line behind them, as offsets: name's begin and end, value's begin and end, and so on.
   * `name: value CRLF`, nothing folded, no space before the colon.
   */
  fields(most: number): number[] | Unread {
    const offsets: number[] = []
    const bytes = this.#bytes
    for (;;) {
      const from = this.at
      if (!this.#skip(TOKEN)) return 'more'
      if (this.at === from) {
        const ended = this.takes('\r\n')
        return ended === true ? offsets : ended
      }
      if (bytes[this.at] !== COLON || offsets.length === 4 * most) return 'other'
      const colon = this.at
      this.at++
      if (!this.#skip(VALUE)) return 'more'
      let begin = colon + 1
      let end = this.at
      while (begin < end && isBlank(bytes[begin])) begin++
      while (end > begin && isBlank(bytes[end - 1])) {
        if (bytes[end - 1] === TAB) this.tabbed = true
        end--
      }
      offsets.push(from, colon, begin, end)
      const ended = this.takes('\r\n')
      if (ended !== true) return ended
    }
  }

  /** As `fields`, their texts: names and values in turn. */
  texts(offsets: readonly number[]): string[] {
    const texts: string[] = []
    for (let index = 0; index < offsets.length; index += 2)
      texts.push(this.text(offsets[index] ?? 0, offsets[index + 1] ?? 0))
    return texts
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB
}

function latin1(bytes: Uint8Array, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, to).toString('latin1')
}
