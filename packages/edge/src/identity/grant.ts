import { EngawaError } from '@engawa/shared/errors'
import { parseDomain, parseName } from '@engawa/shared/names'
import { type PortRange, parsePortRanges } from '@engawa/shared/ports'
import { quoted } from '@engawa/shared/say'

/** What an agent may hold. A missing part sets no limit, but own domains are only those named. */
export interface Grant {
  /** Patterns such as `blog` or `home-*`. */
  readonly names?: readonly string[] | undefined
  readonly ports?: readonly PortRange[] | undefined
  /** Own domains; `*.example.com` stands for every name below it. */
  readonly hosts: readonly string[]
}

/** What `edge invite` gives unless told otherwise: any free name, any free port, no own domain. */
export const USUAL_GRANT: Grant = { hosts: [] }

/** Flags of `edge invite`, each a list with commas. Throws FLAG_INVALID. */
export function parseGrant(flags: {
  names?: string | undefined
  ports?: string | undefined
  hosts?: string | undefined
}): Grant | undefined {
  const { names, ports, hosts } = flags
  if (names === undefined && ports === undefined && hosts === undefined) return undefined
  return {
    ...(names === undefined ? {} : { names: split(names).map(parsePattern) }),
    ...(ports === undefined ? {} : { ports: parsePortRanges(ports) }),
    hosts: split(hosts ?? '').map(parseHostPattern),
  }
}

export function mayHoldName(grant: Grant, name: string): boolean {
  return grant.names === undefined || grant.names.some((pattern) => matches(pattern, name))
}

export function mayHoldHost(grant: Grant, host: string): boolean {
  return grant.hosts.some((pattern) => (pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : pattern === host))
}

/** A grant as the store keeps it. */
export function readGrant(json: string): Grant {
  return JSON.parse(json) as Grant
}

function split(list: string): string[] {
  return list.split(/[\s,]+/).filter((part) => part !== '')
}

function parsePattern(text: string): string {
  const pattern = text.toLowerCase()
  if (/^[a-z0-9*-]{1,63}$/.test(pattern)) return pattern
  // Whole names may be in any script; a part of one has no ASCII form.
  if (/[^ -~]/.test(pattern) && !pattern.includes('*')) return parseName(pattern)
  throw new EngawaError('FLAG_INVALID', `${quoted(text)} is no name pattern; write names such as blog or home-*`, {
    ja: `${quoted(text)} は名前のパターンではありません。blog や home-* のように書いてください`,
  })
}

function parseHostPattern(text: string): string {
  return text.startsWith('*.') ? `*.${parseDomain(text.slice(2))}` : parseDomain(text)
}

/** `*` stands for any run of characters. Linear: no regular expression is made of what people type. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...rest] = parts
  if (rest.length === 0) return pattern === name
  const last = rest.pop() ?? ''
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= name.length - last.length
}
