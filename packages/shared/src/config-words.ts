import type { z } from 'zod'
import type { Language } from './say.ts'

type Issue = z.core.$ZodIssue

/** What can stand in a file, by the names that zod and `typeof` have for it. */
const KINDS: Readonly<Record<string, Readonly<Record<Language, string>>>> = {
  string: { en: 'text', ja: '文字列' },
  number: { en: 'a number', ja: '数値' },
  int: { en: 'a whole number', ja: '整数' },
  boolean: { en: 'true or false', ja: '真偽値 (true か false)' },
  array: { en: 'a list (lines with "- ")', ja: '一覧 (「- 」で始まる行)' },
  object: { en: 'keys with values ("key: value")', ja: '「キー: 値」の形' },
  record: { en: 'keys with values ("key: value")', ja: '「キー: 値」の形' },
  null: { en: 'nothing', ja: '空' },
}

/** What an issue says to people: what is wrong there, and what is allowed. Undefined: no better words than zod's. */
export function issueWords(issue: Issue, found: unknown, language: Language): string | undefined {
  switch (issue.code) {
    case 'custom': {
      const translated: unknown = issue.params?.['ja']
      return language === 'ja' && typeof translated === 'string' ? translated : undefined
    }
    case 'invalid_type':
      return found === undefined ? missing(language) : wrongKind(issue.expected, found, language)
    case 'invalid_value': {
      const values = issue.values.map(String).join(', ')
      return language === 'ja' ? `使える値: ${values}` : `allowed are ${values}`
    }
    case 'too_small':
      if (!isNumber(issue.origin)) return undefined
      return language === 'ja' ? `${issue.minimum} 以上にしてください` : `must be at least ${issue.minimum}`
    case 'too_big':
      if (!isNumber(issue.origin)) return undefined
      return language === 'ja' ? `${issue.maximum} 以下にしてください` : `must be at most ${issue.maximum}`
    default:
      return undefined
  }
}

function missing(language: Language): string {
  return language === 'ja' ? 'この項目が必要です' : 'this key is needed'
}

function wrongKind(expected: string, found: unknown, language: Language): string | undefined {
  const wanted = KINDS[expected]?.[language]
  const given = KINDS[kindOf(found)]?.[language]
  if (wanted === undefined || given === undefined) return undefined
  // `grace: 120` and `name: 404`: numbers to YAML.
  const text = expected === 'string' && (typeof found === 'number' || typeof found === 'boolean') ? `"${found}"` : ''
  if (language === 'ja') {
    const hint = text && `。引用符で囲むと文字列になります: ${text}`
    return `${wanted}で書いてください (今は${given}です${hint})`
  }
  return `${wanted} is wanted here, not ${given}${text && `; quotes make it text: ${text}`}`
}

function kindOf(found: unknown): string {
  if (found === null) return 'null'
  return Array.isArray(found) ? 'array' : typeof found
}

function isNumber(origin: string): boolean {
  return origin === 'number' || origin === 'int'
}
