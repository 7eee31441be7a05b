/**
 * Text of a visitor or of the edge as it may stand on a terminal: control characters and those that turn the direction
 * of writing are written out, so that no request can repaint the screen of the one who looks at it.
 */
export function clean(text: string): string {
  return text.replaceAll(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
