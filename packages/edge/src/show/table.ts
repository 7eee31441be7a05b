import { graphemes, pad, printable, widthOf } from '@engawa/shared/terminal'

const GAP = '  '

/** Rows under their heads, aligned by what a terminal shows. The last column is not padded. Cells are made printable. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows.map((row) => row.map(printable))]
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => pad(cell, widths[column] ?? 0))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join('')
}

const INDENT = '  '
/** What is cut never gets narrower. */
const LEAST = 8

/**
 * As `table`, where that fits into `columns`; else the first cell of each row has a line for itself, whole, and the
 * others stand below it. Where these are still too wide, those of the column `cuts` are shortened.
 */
export function fittingTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  { columns, cuts }: { columns: number; cuts: number },
): string {
  const wide = table(heads, rows)
  if (broadest(wide) <= columns) return wide
  const rest = (most: number): string =>
    table(
      heads.slice(1),
      rows.map((row) => row.slice(1).map((cell, index) => (index + 1 === cuts ? shortened(cell, most) : cell))),
    )
  const whole = rest(Number.POSITIVE_INFINITY)
  const cellWidth = Math.max(...rows.map((row) => widthOf(row[cuts] ?? '')))
  const over = INDENT.length + broadest(whole) - columns
  const lines = (over > 0 ? rest(Math.max(LEAST, cellWidth - over)) : whole).split('\n')
  return [heads, ...rows].map(([first = ''], index) => `${printable(first)}\n${INDENT}${lines[index]}\n`).join('')
}

function broadest(text: string): number {
  return Math.max(...text.split('\n').map(widthOf))
}

/** Ends in two dots where something is left out. */
function shortened(text: string, most: number): string {
  if (widthOf(text) <= most) return text
  let kept = ''
  for (const grapheme of graphemes(text)) {
    if (widthOf(kept + grapheme) > most - 2) break
    kept += grapheme
  }
  return `${kept}..`
}

/** `label  value` lines, values aligned. */
export function facts(pairs: readonly (readonly [label: string, value: string])[]): string {
  const widest = Math.max(...pairs.map(([label]) => widthOf(label)))
  return pairs.map(([label, value]) => `  ${pad(label, widest)}${GAP}${printable(value)}\n`).join('')
}
