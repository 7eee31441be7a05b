/** Ranges that terminals draw two columns wide: East Asian Wide and Fullwidth, and emoji. UAX #11 */
const WIDE: readonly (readonly [from: number, to: number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x3fffd],
]

/** Columns that a text takes in a terminal; it holds no control characters. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

function columnsOf(character: string): number {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x1100) return /\p{M}/u.test(character) ? 0 : 1
  if (/\p{M}|[\u200b-\u200f]|\ufe0f/u.test(character)) return 0
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1
}

/** The beginning of a text that fits into `columns`, with `..` where something was cut off. ASCII dots: an ellipsis is two columns wide on some Japanese terminals. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let width = 0
  let kept = ''
  for (const character of text) {
    width += columnsOf(character)
    if (width > columns - 2) break
    kept += character
  }
  return `${kept}..`.slice(0, Math.max(0, columns))
}

/** Filled up with spaces to `columns`. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

/** A text over as many lines of `columns` as it needs; breaks at spaces, and anywhere in text that has none, as Japanese. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.match(/[!-~]+|\s+|[^!-~\s]/gu) ?? []) {
    if (line !== '' && widthOf(line) + widthOf(word) > columns && !/^[、。,)」]/.test(word)) {
      lines.push(line.trimEnd())
      line = ''
    }
    if (line !== '' || word.trim() !== '') line += word
    while (widthOf(line) > columns + 2) {
      const head = line.slice(0, columns)
      lines.push(head)
      line = line.slice(head.length)
    }
  }
  if (line !== '') lines.push(line.trimEnd())
  return lines
}
