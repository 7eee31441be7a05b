import type { Language } from '@engawa/shared/say'
import { en } from './en.ts'
import { ja } from './ja.ts'

type Same<T> = {
  readonly [K in keyof T]: T[K] extends string
    ? string
    : T[K] extends (...words: infer A) => string
      ? (...words: A) => string
      : Same<T[K]>
}

/** The keys of en.ts with any text: what ja.ts has to fill. */
export type Words = Same<typeof en>

export function words(language: Language): Words {
  return language === 'ja' ? ja : en
}
