import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Code, EngawaError, isCode } from '@engawa/shared/errors'

/** `503.html`, `503.ja.html`, `AGENT_AWAY.html`, `AGENT_AWAY.ja.html`. */
const NAME = /^(\d{3}|[A-Z_]+)(?:\.(en|ja))?\.html$/
/** A page, not a site: it is sent whole, by an edge that may be in trouble. */
const MOST_BYTES = 256 * 1024

/** Pages of the edge's owner, in place of the edge's own. */
export class Pages {
  readonly #byName: ReadonlyMap<string, string>

  constructor(byName: ReadonlyMap<string, string> = new Map()) {
    this.#byName = byName
  }

  /** The most particular one: by code before by status, in the language before in any. */
  find(code: Code, status: number, language: 'en' | 'ja'): string | undefined {
    for (const name of [`${code}.${language}`, code, `${status}.${language}`, String(status)]) {
      const page = this.#byName.get(name)
      if (page !== undefined) return page
    }
    return undefined
  }
}

/** Reads a folder of pages once. Throws CONFIG_INVALID for what is no page, so that a misspelt name does not go unnoticed. */
export function readPages(folder: string): Pages {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.html'))
    return new Pages(new Map(names.map((name) => [nameOf(name, folder), read(join(folder, name))])))
  } catch (cause) {
    if (cause instanceof EngawaError) throw cause
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new EngawaError('CONFIG_INVALID', `pages: ${folder} cannot be read (${why})`, {
      cause,
      ja: `pages: ${folder} を読めません (${why})`,
    })
  }
}

function nameOf(file: string, folder: string): string {
  const [, what = '', language] = NAME.exec(file) ?? []
  const known = /^[45]\d\d$/.test(what) || isCode(what)
  if (known) return language === undefined ? what : `${what}.${language}`
  throw new EngawaError(
    'CONFIG_INVALID',
    `pages: ${join(folder, file)}: name it 503.html, 503.ja.html or AGENT_AWAY.html`,
    {
      ja: `pages: ${join(folder, file)}: ファイル名は 503.html、503.ja.html、AGENT_AWAY.html のようにしてください`,
    },
  )
}

function read(path: string): string {
  const page = readFileSync(path, 'utf8')
  if (page.length <= MOST_BYTES) return page
  throw new EngawaError('CONFIG_INVALID', `pages: ${path} is larger than 256 KiB`, {
    ja: `pages: ${path} が 256 KiB を超えています`,
  })
}
