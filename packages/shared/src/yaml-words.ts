import { type Document, isCollection, isPair, isScalar, type Node, visit, type YAMLError } from 'yaml'
import type { Words } from './say.ts'

/** What keeps a file from being read, told to people who do not know YAML, and where to look. */
export interface YamlProblem {
  /** Into the text. */
  readonly offset: number
  readonly words: Words
}

const INDENT: Words = {
  en: 'this line is indented by too much or too little; entries that belong together begin at the same column, with spaces',
  ja: '字下げがずれています。同じ並びの項目は、空白で同じ桁から始めてください',
}
const NO_COLON: Words = {
  en: '"key: value" is wanted here; is the colon missing, or the space behind it?',
  ja: '「キー: 値」の形ではありません。コロン (:) か、その後ろの空白が抜けていませんか?',
}
const WIDE_SIGN: Words = {
  en: 'there is a full-width colon or space in this line; YAML knows those of ASCII alone',
  ja: '全角のコロンか空白が入っています。半角で書いてください',
}
const COLON_INSIDE: Words = {
  en: 'there is one colon too many in this line; put a value that holds one in quotes: "a: b"',
  ja: 'この行にはコロンが多すぎます。コロンを含む値は引用符で囲んでください: "a: b"',
}
const SPECIAL_SIGN: Words = {
  en: 'a value cannot begin with this sign; put it in quotes, such as "*.lab"',
  ja: '値をこの記号で始めることはできません。"*.lab" のように引用符で囲んでください',
}

const BY_CODE: Readonly<Partial<Record<YAMLError['code'], Words>>> = {
  TAB_AS_INDENT: {
    en: 'a line cannot begin with a tab; indent with spaces',
    ja: '行の先頭にタブは使えません。空白で字下げしてください',
  },
  DUPLICATE_KEY: { en: 'this key is here twice', ja: '同じ項目が 2 回あります' },
  BAD_INDENT: INDENT,
  MISSING_CHAR: NO_COLON,
  MULTILINE_IMPLICIT_KEY: NO_COLON,
  BLOCK_AS_IMPLICIT_KEY: COLON_INSIDE,
  BAD_SCALAR_START: SPECIAL_SIGN,
  TAG_RESOLVE_FAILED: SPECIAL_SIGN,
  BAD_DQ_ESCAPE: {
    en: "\\ begins an escape between double quotes; write '...' instead",
    ja: "二重引用符の中の \\ は特別な意味を持ちます。代わりに '...' で囲んでください",
  },
  BLOCK_IN_FLOW: {
    en: 'there is a comma missing between { and }, or between [ and ]',
    ja: '{ } や [ ] の中で、項目を区切るコンマ (,) が抜けています',
  },
  MULTIPLE_DOCS: {
    en: '--- begins a second document; only one is read',
    ja: '--- からは 2 つ目の文書になります。1 つにまとめてください',
  },
  UNEXPECTED_TOKEN: {
    en: 'this does not belong here; is a quote or bracket before it missing, or one too many?',
    ja: 'ここに書けないものがあります。その前の引用符や括弧が、抜けているか余っていませんか?',
  },
}

/** The first thing wrong with a document of `text`; undefined where it can be read, or where there are no better words than the library's. */
export function yamlProblem(document: Document.Parsed, text: string): YamlProblem | undefined {
  const [first, ...more] = [...document.errors, ...document.warnings]
  if (first === undefined) return strayAlias(document)
  const offset = first.pos[0]
  // The library tells of them at the end of what they swallow.
  const open = first.code === 'MISSING_CHAR' || first.code === 'BAD_INDENT' ? leftOpen(document, text) : undefined
  if (open !== undefined) return open
  const words = BY_CODE[first.code]
  if (words === COLON_INSIDE && more.some(({ code }) => code === 'MULTILINE_IMPLICIT_KEY')) {
    return { offset: lineBehind(text, offset), words: INDENT }
  }
  if (words === INDENT) return { offset: lineBehind(text, offset), words }
  if (words === NO_COLON && /[\uff1a\u3000]/.test(lineAt(text, offset))) return { offset, words: WIDE_SIGN }
  return words && { offset, words }
}

/** A quote or bracket without its other half: the last of them, which holds the rest of the file. */
function leftOpen(document: Document.Parsed, text: string): YamlProblem | undefined {
  let found: YamlProblem | undefined
  visit(document, {
    Node(_, node) {
      const [from, to] = node.range ?? [0, 0]
      const sign = text.charAt(from)
      const end = CLOSES[sign]
      const holds = isScalar(node) ? node.type?.startsWith('QUOTE_') === true : isCollection(node) && node.flow === true
      const isClosed =
        to - from > 1 &&
        behindItems(node, text)
          .trimEnd()
          .endsWith(end ?? '')
      if (!holds || end === undefined || isClosed) return
      found = {
        offset: from,
        words: { en: `this ${sign} is never closed by a ${end}`, ja: `この ${sign} を閉じる ${end} がありません` },
      }
    },
  })
  return found
}

/** What a node ends with: of a collection without its items, and without comments, which may hold any sign. */
function behindItems(node: Node, text: string): string {
  const [from, to] = node.range ?? [0, 0]
  if (!isCollection(node)) return text.slice(from, to)
  const last = node.items.at(-1)
  const item = (isPair(last) ? (last.value ?? last.key) : last) as Node | undefined
  return text.slice(item?.range?.[1] ?? from, to).replaceAll(/(?:^|\s)#.*$/gm, '')
}

const CLOSES: Readonly<Record<string, string>> = { '"': '"', "'": "'", '[': ']', '{': '}' }

/** `name: *.lab` without quotes: to YAML that is what an anchor `&.lab` stands for. */
function strayAlias(document: Document.Parsed): YamlProblem | undefined {
  let found: YamlProblem | undefined
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) found ??= { offset: alias.range?.[0] ?? 0, words: SPECIAL_SIGN }
    },
  })
  return found
}

/** The first sign of the line at `offset` where only spaces are before it, else of the next line that has any. */
function lineBehind(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const from = text.slice(start, offset).trim() === '' ? start : text.indexOf('\n', offset) + 1
  return from + (/^\s*/.exec(text.slice(from))?.[0].length ?? 0)
}

function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  return text.slice(start).split('\n', 1)[0] ?? ''
}
