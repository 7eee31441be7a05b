// `npm run bench:chart -- FIGURES.json`: what `npm run bench -- --json` wrote as pictures for the README, light and dark.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figures } from './figures.ts'
import { NAMES, short } from './figures.ts'

const PICTURES = join(import.meta.dirname, '../../docs/pictures')
/** Of all rows those that say most; a smaller figure is better in each. */
const SHOWN = ['bulk-tls', 'upload-tls', 'echo-busy', 'arrival', 'http-tls']
const WIDTH = 860
const LEFT = 300
const RIGHT = 150
const BAR = 18
const GAP = 6
const HEAD = 34

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

function draw(all: readonly Figures[], { text, faint, own, other }: Look): string {
  const parts: string[] = []
  let y = 0
  for (const { title, unit, ways } of all) {
    y += HEAD
    parts.push(`<text x="0" y="${y - 10}" fill="${text}" font-weight="600">${escaped(title)}</text>`)
    parts.push(`<text x="${WIDTH}" y="${y - 10}" fill="${faint}" text-anchor="end">${escaped(unit)}</text>`)
    const list = Object.entries(ways)
    const most = Math.max(...list.map(([, { value }]) => value.median))
    for (const [index, [name, { value }]] of list.entries()) {
      const width = Math.max(2, Math.round((value.median / most) * (WIDTH - LEFT - RIGHT)))
      const middle = y + BAR / 2 + 5
      parts.push(
        `<text x="${LEFT - 12}" y="${middle}" fill="${faint}" text-anchor="end">${escaped(NAMES[name] ?? name)}</text>`,
      )
      parts.push(
        `<rect x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="3" fill="${index === 0 ? own : other}"/>`,
      )
      parts.push(`<text x="${LEFT + width + 8}" y="${middle}" fill="${text}">${short(value.median)}</text>`)
      y += BAR + GAP
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 4}" width="${WIDTH}" height="${y + 4}" font-family="system-ui, sans-serif" font-size="14">`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error('which figures? npm run bench:chart -- FIGURES.json')
const figures = JSON.parse(readFileSync(file, 'utf8')) as Figures[]
const shown = SHOWN.flatMap((id) => figures.find((row) => row.id === id) ?? [])
for (const look of LOOKS) writeFileSync(join(PICTURES, `bench-${look.name}.svg`), draw(shown, look))
