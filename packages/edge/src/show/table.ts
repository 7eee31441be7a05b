import { pad, printable, widthOf } from '@engawa/shared/terminal'

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

/** `label  value` lines, values aligned. */
export function facts(pairs: readonly (readonly [label: string, value: string])[]): string {
  const widest = Math.max(...pairs.map(([label]) => widthOf(label)))
  return pairs.map(([label, value]) => `  ${pad(label, widest)}${GAP}${printable(value)}\n`).join('')
}
