import { EngawaError } from '@engawa/shared/errors'

/** What more bytes were made into is not kept for the next time: so many connections may rest. */
export const KNOWN_BYTES: number = 4 * 1024

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** The lines of fields, names and values in turn. Throws INTERNAL for what would be another line, or none. RFC 9112 §5 */
export function fieldLines(fields: readonly string[]): string {
  let lines = ''
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at] ?? ''
    const value = fields[at + 1] ?? ''
    if (!TOKEN.test(name) || NO_VALUE.test(value))
      throw new EngawaError('INTERNAL', `a field that cannot be sent: ${name.slice(0, 64)}`)
    lines += `${name}: ${value}\r\n`
  }
  return lines
}

/** The end of a head from its fields on, kept for those who come with the same array again. */
export class KnownLines {
  #fields: readonly string[] | undefined
  #bytes: Uint8Array = new Uint8Array()
  readonly #last: string

  /** `last`: the lines behind those of the fields. */
  constructor(last: string) {
    this.#last = last
  }

  /** Not to be changed. Throws INTERNAL as `fieldLines`. */
  of(fields: readonly string[]): Uint8Array {
    if (fields !== this.#fields) {
      // A copy, for it stays, and would keep a part of the pool.
      const bytes = new Uint8Array(Buffer.from(`${fieldLines(fields)}${this.#last}\r\n`, 'latin1'))
      if (bytes.length > KNOWN_BYTES) return bytes
      this.#bytes = bytes
      this.#fields = fields
    }
    return this.#bytes
  }
}

/** Whether a reason may stand in a status line. RFC 9112 §4 */
export function isReason(text: string): boolean {
  return !NO_VALUE.test(text)
}
