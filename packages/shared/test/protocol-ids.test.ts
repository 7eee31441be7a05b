import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../../..')
const TITLE = /\b(?:test|todo|skip)\(\s*(?:'([^'\n]*)'|"([^"\n]*)"|`([^`]*)`)/g
const ID = /\b[A-Z]\d{1,2}\b/g

const musts = [...readFileSync(join(ROOT, 'docs/protocol.md'), 'utf8').matchAll(/^- \*\*\[([A-Z]\d+)\]\*\*/gm)].map(
  (match) => match[1] ?? '',
)

const named = new Map<string, string[]>()
for (const file of globSync(['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'], { cwd: ROOT })) {
  for (const [, ...titles] of readFileSync(join(ROOT, file), 'utf8').matchAll(TITLE)) {
    for (const [id] of titles.join('').matchAll(ID)) named.set(id, [...(named.get(id) ?? []), file])
  }
}

t.test('protocol.md numbers its MUSTs, each once', async (t) => {
  t.ok(musts.length > 40, `${musts.length} found`)
  t.equal(new Set(musts).size, musts.length)
})

for (const id of musts) {
  t.test(`the title of a test names ${id.slice(0, 1)}-${id.slice(1)} of protocol.md`, async (t) => {
    t.ok(named.has(id), `no test title names ${id}`)
  })
}
