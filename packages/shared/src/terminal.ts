// East Asian wide characters and emoji take two columns of a terminal. Unicode UAX #11, the blocks that names and words here can hold.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u
const NONE = /^[\p{M}\p{Cf}]+$/u
/** Made when it is wanted: that takes some milliseconds of a start. */
let segmenter: Intl.Segmenter | undefined
// oxlint-disable-next-line no-control-regex
const STYLE = /\x1b\[[\d;]*m/g

/** What a terminal shows as one character each. */
export function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

/** How many columns of a terminal `text` takes; colours take none. */
export function widthOf(text: string): number {
  return graphemes(text.replace(STYLE, '')).reduce((columns, grapheme) => columns + columnsOf(grapheme), 0)
}

/** Filled up with spaces to `columns`. */
export function pad(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}

/**
 * Text that came from outside, as it may stand on a terminal or in a log: control, format and bidirectional characters
 * are written out, so that no request and no name can repaint the screen of the one who looks at it. JSON stays JSON.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

/** As `printable`, for messages of our own that may have several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

function columnsOf(grapheme: string): number {
  if (NONE.test(grapheme)) return 0
  // Half-width voice marks join the letter before them, and still take a column.
  const marks = grapheme.slice(1).replace(/[^\uff9e\uff9f]/g, '').length
  return (WIDE.test(grapheme) ? 2 : 1) + marks
}
