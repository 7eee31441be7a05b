import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { z } from 'zod'
import { en, ja } from 'zod/locales'
import { issueWords } from './config-words.ts'
import { EngawaError } from './errors.ts'
import { type Language, quoted } from './say.ts'
import { yamlProblem } from './yaml-words.ts'

export interface ConfigSource {
  /** As it is to stand in messages. */
  readonly file: string
  readonly text: string
  readonly language?: Language
}

/** The same schema for editors, as JSON Schema in the version that they know best: what people type, not what is made of it. */
export function editorSchema(title: string, schema: z.ZodType): string {
  const made = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' })
  return `${JSON.stringify({ title, ...made }, undefined, 2)}\n`
}

type Path = readonly PropertyKey[]

/**
 * Reads YAML by a schema. Objects of the schema should be strict, so that unknown keys are errors.
 *
 * Throws CONFIG_INVALID with one message, the first problem: `FILE:LINE:COLUMN key: what is wrong, what is allowed`.
 */
export function readConfig<Schema extends z.ZodType>(source: ConfigSource, schema: Schema): z.output<Schema> {
  const { file, text, language = 'en' } = source
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true })
  const fail = (offset: number, key: string, what: string, cause?: unknown): never => {
    const { line, col } = lines.linePos(offset)
    const place = `${file}:${line}:${col} ${key === '' ? '' : `${key}: `}`
    // Built once, in the language of the caller: the texts of zod exist in one language at a time.
    throw new EngawaError('CONFIG_INVALID', place + what, { cause, ja: place + what })
  }
  const broken = document.errors[0] ?? document.warnings[0]
  const problem = yamlProblem(document, text)
  if (problem !== undefined) fail(problem.offset, '', problem.words[language], broken)
  if (broken !== undefined) {
    const what = language === 'ja' ? 'YAML として読めません' : 'this is no YAML'
    fail(broken.pos[0], '', `${what} (${broken.message})`, broken)
  }
  let content: unknown
  try {
    content = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    fail(0, '', language === 'ja' ? 'エイリアスが多すぎます' : 'it has too many aliases', error)
  }
  // An empty file is an empty map.
  const result = schema.safeParse(content ?? {}, {
    error: (language === 'ja' ? ja() : en()).localeError,
  })
  if (result.success) return result.data
  const issue = firstOf(result.error.issues)
  if (issue === undefined) return fail(0, '', result.error.message)
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = unknown === undefined ? issue.path : [...issue.path, unknown]
  const what =
    unknown === undefined
      ? (issueWords(issue, valueAt(content, issue.path), language) ?? issue.message)
      : unknownText(unknown, keysAt(schema, issue.path), language)
  return fail(offsetOf(document.contents, path), keyText(path), what, result.error)
}

/**
 * A string of the file, through one of our own parsers; what that says becomes the message.
 * `parse` throws `EngawaError`.
 */
export function parsedText<Value>(parse: (text: string) => Value): z.ZodType<Value, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof EngawaError)) throw error
      context.addIssue({ code: 'custom', message: error.message, params: { ja: error.ja } })
      return z.NEVER
    }
  })
}

type Issue = z.core.$ZodIssue

/** The one to tell. Of a union, the complaint that came furthest: that is the branch that was meant. */
function firstOf(issues: readonly Issue[]): Issue | undefined {
  // A key that is missing and one that is unknown are mostly the same key, misspelt.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  if (issue?.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const branches = issue.errors.map((branch) => firstOf(branch)).filter((inner) => inner !== undefined)
  const inner = branches.toSorted((a, b) => b.path.length - a.path.length || rank(b) - rank(a))[0]
  return inner === undefined ? issue : { ...inner, path: [...issue.path, ...inner.path] }
}

/** A branch that took the type and refused the value was meant rather than one of another type. */
function rank(issue: Issue): number {
  if (issue.code === 'invalid_type') return 0
  return issue.code === 'invalid_value' ? 1 : 2
}

function valueAt(content: unknown, path: Path): unknown {
  let at = content
  for (const step of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[step]
  return at
}

function unknownText(key: string, allowed: readonly string[], language: Language): string {
  const known = allowed.join(', ')
  // Typed with a Japanese input method left on; it looks like indentation.
  const isWide = key.includes('\u3000')
  if (language === 'ja') return `${isWide ? '全角の空白が入っています' : '知らない項目です'}。使える項目: ${known}`
  return `${isWide ? 'there is a full-width space in this key' : 'unknown key'}, allowed are ${known}`
}

/** The keys that the schema knows at a place. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let at: unknown = unwrap(schema)
  for (const step of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(step)])
    else if (at instanceof z.ZodArray || at instanceof z.ZodRecord) {
      at = unwrap(at instanceof z.ZodArray ? at.element : at.valueType)
    } else return []
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : []
}

function unwrap(schema: unknown): unknown {
  let at = schema
  while (
    at instanceof z.ZodOptional ||
    at instanceof z.ZodDefault ||
    at instanceof z.ZodPrefault ||
    at instanceof z.ZodNullable ||
    at instanceof z.ZodPipe
  ) {
    at = at instanceof z.ZodPipe ? at.in : at.unwrap()
  }
  // Of a union only the object can hold keys.
  return at instanceof z.ZodUnion ? at.options.map(unwrap).find((option) => option instanceof z.ZodObject) : at
}

function keyText(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index > 0 ? '.' : ''}${plain(step)}`))
    .join('')
}

function plain(step: PropertyKey): string {
  const text = String(step)
  return /^[\w-]{1,60}$/.test(text) ? text : quoted(text)
}

/** Where the node of a path stands; for a missing or unknown key the nearest that is there. */
function offsetOf(root: Node | null, path: Path): number {
  let offset = root?.range?.[0] ?? 0
  let at: unknown = root
  for (const step of path) {
    const items = (at as { items?: unknown[] } | null)?.items
    if (items === undefined) return offset
    const pair = isMap(at)
      ? at.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step))
      : undefined
    const next: unknown = pair === undefined ? items[Number(step)] : pair.value
    const node = pair === undefined ? (next as Node | undefined) : (pair.key as Node)
    if (node?.range == null) return offset
    offset = node.range[0]
    at = next
  }
  return offset
}
