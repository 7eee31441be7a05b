import type { Dirent } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { bytesText } from '../show/figures.ts'

/** Entries shown at most: a folder of millions is no page. */
const MOST = 2000
/** Looked at at a time; the rest of the agent needs the pool of threads too. */
const AT_ONCE = 16

export interface Listing {
  /** Decoded, with both its slashes. */
  readonly path: string
  readonly entries: readonly Entry[]
  /** There are more than are shown. */
  readonly cut: boolean
}

interface Entry {
  readonly name: string
  readonly folder: boolean
  readonly bytes: number
  readonly changed: Date
}

/**
 * What lies at `path` (as in the request, with its final slash) below `root`; undefined where no folder does.
 * Dotfiles and links that `holds` refuses are left out.
 */
export async function readListing(
  root: string,
  path: string,
  holds: (real: string) => boolean,
): Promise<Listing | undefined> {
  const decoded = decode(path)
  if (decoded === undefined || decoded.split('/').some((part) => part.startsWith('.'))) return undefined
  try {
    const folder = await realpath(join(root, normalize(decoded)))
    if (!holds(folder)) return undefined
    const found: Dirent[] = []
    const opened = await opendir(folder)
    let cut = false
    for await (const entry of opened) {
      if (entry.name.startsWith('.')) continue
      cut = found.length === MOST
      if (cut) break
      found.push(entry)
    }
    const entries: Entry[] = []
    for (let at = 0; at < found.length; at += AT_ONCE) {
      const some = await Promise.all(found.slice(at, at + AT_ONCE).map(({ name }) => look(folder, name, holds)))
      entries.push(...some.filter((entry) => entry !== undefined))
    }
    entries.sort((a, b) => Number(b.folder) - Number(a.folder) || (a.name < b.name ? -1 : 1))
    return { path: decoded.replaceAll(/\/+/g, '/'), entries, cut }
  } catch {
    return undefined
  }
}

async function look(folder: string, name: string, holds: (real: string) => boolean): Promise<Entry | undefined> {
  try {
    const real = await realpath(join(folder, name))
    if (!holds(real)) return undefined
    const seen = await stat(real)
    if (!seen.isDirectory() && !seen.isFile()) return undefined
    return { name, folder: seen.isDirectory(), bytes: seen.size, changed: seen.mtime }
  } catch {
    return undefined
  }
}

const WORDS = {
  en: {
    name: 'Name',
    bytes: 'Size',
    changed: 'Changed (UTC)',
    empty: 'Nothing is in here',
    cut: `Only ${MOST} of them are shown`,
  },
  ja: {
    name: '名前',
    bytes: 'サイズ',
    changed: '更新日時 (UTC)',
    empty: '空のフォルダーです',
    cut: `最初の ${MOST} 件だけを表示しています`,
  },
} as const

export function listingPage({ path, entries, cut }: Listing, language: 'en' | 'ja'): string {
  const up = path === '/' ? [] : ['<tr><td><a href="../">../</a><td><td>']
  const rows = entries.map(({ name, folder, bytes, changed }) => {
    const slash = folder ? '/' : ''
    // `./` keeps a name with a colon from being a scheme.
    const link = `<a href="./${encodeURIComponent(name)}${slash}">${escape(name)}${slash}</a>`
    return `<tr><td>${link}<td>${folder ? '' : bytesText(bytes)}<td>${changed.toISOString().slice(0, 16).replace('T', ' ')}`
  })
  const words = WORDS[language]
  const note = cut ? words.cut : entries.length === 0 ? words.empty : undefined
  return `<!doctype html>
<html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(path)}</title>
<style>:root{color-scheme:light dark}body{font:15px/1.6 system-ui,sans-serif;margin:2em auto;max-width:56em;padding:0 1em}
table{border-collapse:collapse;width:100%}td{padding:.1em .6em .1em 0;overflow-wrap:anywhere}th{text-align:left;font-weight:600}td+td,th+th{white-space:nowrap;text-align:right}</style>
<h1>${escape(path)}</h1><table>
<tr><th>${words.name}<th>${words.bytes}<th>${words.changed}
${[...up, ...rows].join('\n')}
</table>${note === undefined ? '' : `<p>${note}</p>`}
</html>
`
}

function decode(path: string): string | undefined {
  try {
    const text = decodeURIComponent(path)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign)
}
