// `npm run bench:chart -- FIGURES.json…`: what `npm run bench -- --json` wrote, of one run or several, as pictures for the
// README, light and dark.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { commandLine, refuse } from '../../scripts/command-line.ts'
import type { Figures } from './figures.ts'
import { NAMES, short } from './figures.ts'
import { ROWS } from './rows.ts'

const PICTURES = join(import.meta.dirname, '../../docs/pictures')
const WIDTH = 860
const COLUMNS = 2
const BETWEEN = 36
const COLUMN = (WIDTH - BETWEEN) / COLUMNS
/** Of a column: names before the bars, figures behind them. */
const LEFT = 128
const RIGHT = 50
const BAR = 13
const GAP = 5
const HEAD = 24
const FOOT = 16

interface Look {
  readonly name: string
  readonly text: string
  readonly faint: string
  readonly own: string
  readonly other: string
}

const LOOKS: readonly Look[] = [
  { name: 'light', text: '#3b3630', faint: '#7a7267', own: '#a4522b', other: '#b9ae9c' },
  { name: 'dark', text: '#ece6da', faint: '#a79e90', own: '#e2966b', other: '#6b6357' },
]

function heightOf({ ways }: Figures): number {
  return HEAD + Object.keys(ways).length * (BAR + GAP) + FOOT
}

/** In the order of the rows, one column after the other, none much longer than the others. */
function columnsOf(all: readonly Figures[]): Figures[][] {
  const total = all.reduce((sum, row) => sum + heightOf(row), 0)
  const columns: Figures[][] = Array.from({ length: COLUMNS }, () => [])
  let above = 0
  for (const row of all) {
    const middle = above + heightOf(row) / 2
    columns[Math.min(COLUMNS - 1, Math.floor((middle * COLUMNS) / total))]?.push(row)
    above += heightOf(row)
  }
  return columns
}

function drawRow({ title, unit, ways }: Figures, look: Look, x: number, top: number): string[] {
  const { text, faint, own, other } = look
  const baseline = top + 14
  const parts = [
    `<text x="${x}" y="${baseline}" fill="${text}" font-weight="600">${escaped(title)}</text>`,
    `<text x="${x + COLUMN}" y="${baseline}" fill="${faint}" text-anchor="end">${escaped(unit)}</text>`,
  ]
  const list = Object.entries(ways)
  const most = Math.max(...list.map(([, { value }]) => value.median))
  for (const [index, [name, { value }]] of list.entries()) {
    const y = top + HEAD + index * (BAR + GAP)
    const width = Math.max(2, Math.round((value.median / most) * (COLUMN - LEFT - RIGHT)))
    const middle = y + BAR / 2 + 4.5
    const shown = escaped(NAMES[name] ?? name)
    parts.push(
      `<text x="${x + LEFT - 10}" y="${middle}" fill="${faint}" text-anchor="end">${shown}</text>`,
      `<rect x="${x + LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2.5" fill="${index === 0 ? own : other}"/>`,
      `<text x="${x + LEFT + width + 7}" y="${middle}" fill="${text}">${short(value.median)}</text>`,
    )
  }
  return parts
}

function draw(all: readonly Figures[], look: Look): string {
  const columns = columnsOf(all)
  const height = Math.max(...columns.map((rows) => rows.reduce((sum, row) => sum + heightOf(row), 0))) - FOOT + 4
  const parts = columns.flatMap((rows, column) => {
    let top = 0
    return rows.flatMap((row) => {
      const drawn = drawRow(row, look, column * (COLUMN + BETWEEN), top)
      top += heightOf(row)
      return drawn
    })
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12.5">`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function read(file: string): Figures[] {
  try {
    const figures: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (Array.isArray(figures)) return figures as Figures[]
  } catch (error) {
    return refuse(`${file}: ${(error as Error).message}`)
  }
  return refuse(`${file} is not what npm run bench -- --json wrote`)
}

const { positionals: files } = commandLine({ allowPositionals: true })
if (files.length === 0) refuse('which figures? npm run bench:chart -- FIGURES.json…')
const found = files.flatMap(read)
const shown = ROWS.flatMap(({ id }) => found.find((row) => row.id === id) ?? [])
if (shown.length === 0) refuse(`no row of the bench in ${files.join(', ')}`)
for (const look of LOOKS) writeFileSync(join(PICTURES, `bench-${look.name}.svg`), draw(shown, look))
