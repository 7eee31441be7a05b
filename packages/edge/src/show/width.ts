// East Asian wide characters and emoji take two columns of a terminal. Unicode UAX #11, the blocks that names and words here can hold.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
// oxlint-disable-next-line no-control-regex
const STYLE = /\x1b\[[\d;]*m/g

/** How many columns of a terminal `text` takes; colours take none. */
export function width(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(text.replace(STYLE, ''))) columns += WIDE.test(segment) ? 2 : 1
  return columns
}

/** Control, format and bidirectional characters written out, so that what an agent or visitor named can't drive a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
