import { EngawaError } from '@engawa/shared/errors'

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

/** As `fieldLines`, kept for those who come with the same array again. */
export class KnownLines {
  #fields: readonly string[] | undefined
  #text = ''

  of(fields: readonly string[]): string {
    if (fields !== this.#fields) {
      this.#text = fieldLines(fields)
      this.#fields = fields
    }
    return this.#text
  }
}

/** Whether a reason may stand in a status line. RFC 9112 §4 */
export function isReason(text: string): boolean {
  return !NO_VALUE.test(text)
}
