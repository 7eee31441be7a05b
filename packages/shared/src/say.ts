import { EngawaError } from './errors.ts'
import { printable } from './terminal.ts'

/** The languages that every message for people exists in. */
export type Language = 'en' | 'ja'

/** One text in both. */
export type Words = Readonly<Record<Language, string>>

/**
 * The language to speak: `--lang`, else the locale as POSIX orders it (LC_ALL, LC_MESSAGES, LANG).
 * Only Japanese is told apart; every other locale gets English.
 */
export function chooseLanguage(
  flag: Language | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Language {
  if (flag !== undefined) return flag
  const locale = [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((text) => text !== undefined && text !== '')
  return locale !== undefined && /^ja(?:[_.@-]|$)/i.test(locale) ? 'ja' : 'en'
}

/** The text of anything thrown, for people. */
export function told(error: unknown, language: Language): string {
  if (error instanceof EngawaError && language === 'ja' && error.ja !== undefined) return error.ja
  return error instanceof Error ? error.message : String(error)
}

/** Puts values into the `{name}` places of a text. A place without a value stays, so that it is seen. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : place,
  )
}

/**
 * Text that came from outside, as it may stand in a message: quoted, cut to 60 characters,
 * control characters (terminal escapes among them) written out.
 */
export function quoted(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return printable(JSON.stringify(short))
}
