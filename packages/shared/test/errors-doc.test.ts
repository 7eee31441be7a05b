import { readFileSync } from 'node:fs'
import t from 'tap'
import { CODES, type CodeRow } from '../src/errors.ts'

/** One table in two languages; titles are told in English here. */
const DOCS = ['errors.md', 'errors.ja.md']
const TITLES: Readonly<Record<string, string>> = {
  コード: 'Code',
  番号: 'Number',
  ステータス: 'Status',
  直せる人: 'Fault',
  何が起きたか: 'What happened',
  どうするか: 'What to do',
}
const CODE = /^`([A-Z_]+)`$/

interface Documented {
  readonly code: string
  readonly row: CodeRow
  /** What happened, and what to do. */
  readonly text: readonly string[]
}

/** The rows of a page: its columns by their titles, the scope by the line below the section's title. */
function read(markdown: string): Documented[] {
  return markdown.split(/^## /m).flatMap((section) => {
    const scope = /^(?:Scope|範囲): `(\w+)`/m.exec(section)?.[1]
    const [titles, ...rows] = section.split('\n').filter((line) => line.startsWith('| '))
    return rows.map((line) => {
      const cell = new Map(
        cells(titles ?? '').map((title, index) => [TITLES[title] ?? title, cells(line)[index] ?? '']),
      )
      const code = CODE.exec(cell.get('Code') ?? '')?.[1]
      if (code === undefined) throw new Error(`no code in: ${line}`)
      const number = Number(cell.get('Number') ?? 'none')
      const status = Number(cell.get('Status') ?? 'none')
      const row = {
        ...(Number.isNaN(number) ? {} : { wire: number }),
        ...(Number.isNaN(status) ? {} : { status }),
        scope: scope as CodeRow['scope'],
        fault: cell.get('Fault') as CodeRow['fault'],
      }
      return { code, row, text: [cell.get('What happened') ?? '', cell.get('What to do') ?? ''] }
    })
  })
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

for (const name of DOCS) {
  const documented = read(readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8'))

  t.test(`docs/${name} explains every code once, and none besides`, async (t) => {
    t.same(
      documented.map(({ code }) => code),
      Object.keys(CODES),
      'the same codes in the same order',
    )
  })

  t.test(`docs/${name} gives the number, status, fault and scope of errors.ts`, async (t) => {
    for (const { code, row } of documented) {
      t.same(row, (CODES as Record<string, CodeRow>)[code], code)
    }
  })

  t.test(`docs/${name}: every code says what happened and what to do`, async (t) => {
    for (const { code, text } of documented) {
      for (const sentence of text) t.match(sentence, /^\S.{7,}[.?)。]$/, code)
    }
  })
}

t.test('a row that differs is found', async (t) => {
  const found = read(
    '## One stream\n\nScope: `stream`.\n\n| Code | Number | Fault | What happened | What to do |\n|---|---|---|---|---|\n| `CANCELLED` | 2 | edge | It ended so. | Do nothing. |\n',
  )
  const row = { wire: 2, scope: 'stream', fault: 'edge' }
  t.same(found, [{ code: 'CANCELLED', row, text: ['It ended so.', 'Do nothing.'] }])
})
