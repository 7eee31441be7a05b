import { graphemes, widthOf } from '@engawa/shared/terminal'

/** The beginning of a text that fits into `columns`, with `..` where something was cut off. ASCII dots: an ellipsis is two columns wide on some Japanese terminals. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let width = 0
  let kept = ''
  for (const grapheme of graphemes(text)) {
    width += widthOf(grapheme)
    if (width > columns - 2) break
    kept += grapheme
  }
  return `${kept}..`.slice(0, Math.max(0, columns))
}

/** What never begins a line. */
const NO_BEGIN = new Set(['、', '。', ',', ')', '」'])

/** A text over as many lines of `columns` as it needs; breaks at spaces, and anywhere in text that has none, as Japanese. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.match(/[!-~]+|\s+|[^!-~\s]/gu) ?? []) {
    if (line !== '' && widthOf(line) + widthOf(word) > columns && !NO_BEGIN.has(word.charAt(0))) {
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
