import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const english = read('README.md')
const japanese = read('README.ja.md')

const FENCE = /^```(\w*)\n([\s\S]*?)^```$/gm
const CODE_WORD = /`([^`\n]+)`/g

const blocksOf = (text: string): string[] => [...text.matchAll(FENCE)].map(([block]) => block)
const proseOf = (text: string): string => text.replaceAll(FENCE, '')
const each = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found = '']) => found)

/** Headings, list items, table rows and paragraphs as one letter each: what a reader sees of the build of a page. */
function shapeOf(text: string): string[] {
  const blocks = proseOf(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
  return blocks.map((line) => {
    if (line.startsWith('|')) return `row of ${line.split('|').length - 2}`
    return /^(#+ |- |\d\. |<)/.exec(line)?.[1]?.trim() ?? 'text'
  })
}

/** Where a page leads, but for its link to the other language. */
const linksOf = (text: string, other: string): string[] =>
  each(text, /(?:\]\(|src(?:set)?=")([^)"]+)[)"]/g)
    .filter((link) => link !== other)
    .toSorted()

const wordsOf = (text: string): string[] => [...new Set(each(proseOf(text), CODE_WORD))].toSorted()

const figuresOf = (text: string): string[] =>
  each(proseOf(text), /(?<![\w.-])(\d[\d.,–]*\d|\d\d+)(?![\w.]*\w)/g).toSorted()

t.test('both READMEs have the same commands', async (t) => {
  t.ok(blocksOf(english).length > 0)
  t.same(blocksOf(japanese), blocksOf(english))
})

t.test('both READMEs have the same headings, lists, tables and paragraphs in the same order', async (t) => {
  t.same(shapeOf(japanese), shapeOf(english))
})

/** The same page in Japanese, where there is one. */
function inJapanese(link: string): string {
  const page = link.replace(/\.md$/, '.ja.md')
  return existsSync(new URL(`../../${page}`, import.meta.url)) ? page : link
}

t.test('both READMEs lead to the same places, in Japanese where they are', async (t) => {
  t.same(linksOf(japanese, 'README.md'), linksOf(english, 'README.ja.md').map(inJapanese).toSorted())
})

t.test('both READMEs name the same flags, files and codes', async (t) => {
  t.same(wordsOf(japanese), wordsOf(english))
})

t.test('both READMEs state the same figures', async (t) => {
  t.same(figuresOf(japanese), figuresOf(english))
})

t.test('the two commands of the README are scripts of package.json', async (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  t.match(english, 'npm ci && npm run demo')
  t.match(english, 'npm ci && npm test')
  for (const [, script = ''] of english.matchAll(/npm (?:run )?([a-z]+)(?= |`|$)/gm)) {
    if (script !== 'ci' && script !== 'run') t.ok(script in scripts, script)
  }
})
