import { printable } from '@engawa/shared/terminal'
import type { AccessEntry } from './entry.ts'

export type AccessFormat = 'json' | 'combined'

const MOST = { host: 260, target: 2048, text: 512 }
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** One line, with its end. */
export function accessLine(entry: AccessEntry, format: AccessFormat): string {
  return format === 'json' ? jsonLine(entry) : combinedLine(entry)
}

function jsonLine(entry: AccessEntry): string {
  const { at, host, target, firstByteMs, ms, referrer, userAgent, ...rest } = entry
  // In the order in which one reads; undefined leaves its key out.
  const { visitor, method, version, secure, status, received, sent, by, tunnel, agent, code } = rest
  const line = JSON.stringify({
    time: new Date(at).toISOString(),
    visitor,
    host: host.slice(0, MOST.host),
    method,
    path: withoutSecrets(target),
    version,
    secure,
    status,
    received,
    sent,
    firstByteMs,
    ms,
    by,
    tunnel,
    agent,
    code,
    referrer: referrer === undefined ? undefined : withoutSecrets(referrer),
    userAgent: userAgent?.slice(0, MOST.text),
  })
  return `${printable(line)}\n`
}

/** The NCSA combined format, as Apache and nginx write it. Times are UTC. */
function combinedLine(entry: AccessEntry): string {
  const { at, visitor, method, target, version, status, sent, referrer, userAgent } = entry
  const line = version === '' ? '-' : `${method} ${withoutSecrets(target)} HTTP/${version}`
  const from = referrer === undefined ? '-' : withoutSecrets(referrer)
  const agent = userAgent?.slice(0, MOST.text) ?? '-'
  return `${visitor} - - [${clf(new Date(at))}] ${quoted(line)} ${status} ${sent} ${quoted(from)} ${quoted(agent)}\n`
}

function clf(time: Date): string {
  const date = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
  return `${date}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** What could end the quotes or the line is written as `\xHH`, as nginx does. */
function quoted(text: string): string {
  const safe = text.replace(
    /["\\\p{Cc}\u007f-\uffff]/gu,
    (character) =>
      `\\x${Buffer.from(character)
        .toString('hex')
        .toUpperCase()
        .replace(/(..)(?=.)/g, '$1\\x')}`,
  )
  return `"${safe}"`
}

/**
 * A target or URL with the values of its query left out: `/search?q&page`. Names of parameters say what was asked;
 * their values hold tokens of sessions, signatures and passwords too often to be kept.
 */
export function withoutSecrets(target: string): string {
  const [path = ''] = target.split(/[?#]/, 1)
  // Userinfo in a Referer.
  const plain = path.replace(/^([a-z]+:\/\/)[^/]*@/i, '$1')
  const query = target.slice(path.length).split('#', 1)[0] ?? ''
  if (!query.startsWith('?')) return plain.slice(0, MOST.target)
  const names = query
    .slice(1)
    .split('&')
    // A parameter without `=` is a value in itself when it is long.
    .map((part) => (part.includes('=') || part.length <= 32 ? part.split('=', 1)[0] : ''))
  return `${plain}?${names.join('&')}`.slice(0, MOST.target)
}
