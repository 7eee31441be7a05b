import { type Code, EngawaError } from '@engawa/shared/errors'
import { told } from '@engawa/shared/say'
import { en } from './show/en.ts'
import { ja } from './show/ja.ts'
import type { Words } from './show/words.ts'

/** One message, given the catalogue of a language. */
export type Phrase = (words: Words) => string

/** An error that speaks both languages. */
export function complaint(code: Code, phrase: Phrase, cause?: unknown): EngawaError {
  return new EngawaError(code, phrase(en), { ja: phrase(ja), ...(cause !== undefined && { cause }) })
}

/** The same error with a further line. */
export function adding(error: EngawaError, phrase: Phrase): EngawaError {
  return complaint(error.code, (words) => `${told(error, words.language)}\n${phrase(words)}`, error)
}
