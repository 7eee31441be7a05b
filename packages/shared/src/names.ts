import { domainToASCII, domainToUnicode } from 'node:url'
import { familyOf } from './addresses.ts'
import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'

/** One label as RFC 1123 §2.1 has it: letters, digits and inner hyphens, at most 63. */
const LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/
/** All of a DNS name, RFC 1035 §2.3.4, without its final dot. */
const MAX_NAME = 253
/**
 * Scripts in which nothing looks like a Latin letter: Japanese and Chinese, and the letters of Latin-1 beside ASCII.
 * A name in any other could pose as another one (a Cyrillic `а`), and is shown in ASCII.
 */
const UNMISTAKABLE = /^[a-z0-9*.\u00df-\u00f6\u00f8-\u00ff\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\u30fc-]+$/u

/**
 * The name of a tunnel or an agent: one DNS label, lower case; other scripts become punycode.
 * Throws NAME_INVALID.
 */
export function parseName(text: string): string {
  const name = toAscii(text)
  if (name !== undefined && LABEL.test(name)) return name
  throw new EngawaError(
    'NAME_INVALID',
    `${quoted(text)} is no name; use letters, digits and inner hyphens, at most 63, without dots`,
    { ja: `${quoted(text)} は名前に使えません。英数字と途中のハイフンで 63 文字以内、ドットなしで書いてください` },
  )
}

/** A domain of one's own, `www.example.com`: two labels or more, no IP address, no port. Throws NAME_INVALID. */
export function parseDomain(text: string): string {
  const domain = toAscii(text.replace(/\.$/, ''))
  const labels = domain?.split('.') ?? []
  if (
    domain !== undefined &&
    labels.length >= 2 &&
    domain.length <= MAX_NAME &&
    labels.every((label) => LABEL.test(label)) &&
    !/^\d+$/.test(labels.at(-1) ?? '')
  ) {
    return domain
  }
  throw new EngawaError('NAME_INVALID', `${quoted(text)} is no domain; write a whole name such as www.example.com`, {
    ja: `${quoted(text)} はドメイン名ではありません。www.example.com のように全体を書いてください`,
  })
}

/** The name of a tunnel: as `parseName`, or `*.lab` for every name just below `lab`. Throws NAME_INVALID. */
export function parseTunnelName(text: string): string {
  return text.startsWith('*.') ? `*.${parseName(text.slice(2))}` : parseName(text)
}

/** A domain of a tunnel: as `parseDomain`, or `*.example.com` for every name just below it. Throws NAME_INVALID. */
export function parseTunnelHost(text: string): string {
  return text.startsWith('*.') ? `*.${parseDomain(text.slice(2))}` : parseDomain(text)
}

/** The wildcard that a host falls under: `*.example.com` for `www.example.com`. One label, as of certificates. */
export function wildcardOf(host: string): string {
  return `*${host.slice(host.indexOf('.'))}`
}

/** The edge's own domain: as `parseDomain`, or the one word `localhost`. Throws NAME_INVALID. */
export function parseEdgeDomain(text: string): string {
  return text.toLowerCase() === 'localhost' ? 'localhost' : parseDomain(text)
}

/** Makes a name out of any text (a folder's, a host's): what does not fit becomes a hyphen; `fallback` where nothing is left. */
export function nameFrom(text: string, fallback: string): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
  const name = toAscii(plain)?.slice(0, 63).replace(/-+$/, '')
  return name !== undefined && LABEL.test(name) ? name : fallback
}

/**
 * A name or host in the script that it stands for, `縁側` for `xn--2yq632i`; undefined where that is ASCII, or where it
 * could be taken for another one. What `typed` names is shown in any script: they are that person's own words.
 */
export function readable(ascii: string, typed?: string): string | undefined {
  if (!ascii.includes('xn--')) return undefined
  const text = domainToUnicode(ascii)
  if (text === '' || text === ascii || domainToASCII(text) !== ascii) return undefined
  return UNMISTAKABLE.test(text) || (typed !== undefined && toAscii(typed) === ascii) ? text : undefined
}

/** A name for people: `縁側 (xn--2yq632i)`, since addresses and files have the ASCII form. As `readable`. */
export function shownName(ascii: string, typed?: string): string {
  const text = readable(ascii, typed)
  return text === undefined ? ascii : `${text} (${ascii})`
}

/** A public address for people, whole as it is copied, with what it reads as behind: `http://xn--2yq632i.example.com (縁側.example.com)`. */
export function shownAddress(address: string): string {
  const text = readableHost(address)
  return text === undefined ? address : `${address} (${text})`
}

/** As `readable`, of the host in a URL or a `HOST:PORT`. */
export function readableHost(address: string): string | undefined {
  return readable(/^(?:[a-z]+:\/\/)?([^/:]*)/.exec(address)?.[1] ?? '')
}

/** Undefined for what is no host name in any script. An address is none: `1` would become `0.0.0.1`. */
function toAscii(text: string): string | undefined {
  const lower = text.toLowerCase()
  if (/^[a-z0-9.-]*$/.test(lower)) return lower.includes('xn--') && domainToASCII(lower) === '' ? undefined : lower
  if (/[\s/:@?#%\\[\]]/.test(text)) return undefined
  const ascii = domainToASCII(text)
  return ascii === '' || familyOf(ascii) !== 0 ? undefined : ascii
}
