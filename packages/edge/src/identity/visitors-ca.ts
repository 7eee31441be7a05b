import { join } from 'node:path'
import { familyOf } from '@engawa/shared/addresses'
import { readIfThere } from '@engawa/shared/folder'
import { type Authority, issueLeaf, type KeyAndChain, newKey, readAuthority, writeAuthority } from './authority.ts'
import { authority, certificate, nameConstraints, serversOnly } from './x509.ts'

/** Who the authority may speak for. */
export interface Scope {
  /** The edge's domain, with every name below it. */
  readonly domain: string
  /** The edge's own addresses, IPv4 and IPv6 text. */
  readonly addresses: readonly string[]
}

/** The edge's own authority for HTTPS where there is no public certificate. Installing it trusts the edge's names, no other site's. */
export interface VisitorsCa {
  /** PEM, as `edge ca` prints it. */
  readonly certificate: string
  /** Another authority than before, since domain or addresses have changed: who installed the old one has to install it again. */
  readonly renewed: boolean
  /** Whether it may issue for this name (also `*.domain`) or address. */
  covers(host: string): boolean
  /** A new certificate for 397 days. `now` is wall-clock time. Throws RangeError for a host it does not cover. */
  issue(hosts: readonly string[], now: Date): KeyAndChain
}

const FILE = 'visitors-ca.pem'
const NAME = 'Engawa visitors CA'
const DAY_MS = 86_400_000
/** Ten years, and a day back for visitors whose clock is behind. */
const CA_DAYS = 3650
const BACK_DAYS = 1
/** Apple refuses more than 825 days for private authorities, 398 for public ones. */
const LEAF_DAYS = 397

/** Reads it from the edge's folder; makes it when there is none, when it does not cover `scope`, or ends within a leaf's life. */
export function openVisitorsCa(folder: string, scope: Scope, now: Date): VisitorsCa {
  const path = join(folder, FILE)
  const text = readIfThere(path)
  if (text !== undefined) {
    const { note, ...ca } = readAuthority(path, text)
    const kept = readNote(note)
    if (kept !== undefined && includes(kept, scope) && now.getTime() < kept.until - LEAF_DAYS * DAY_MS) {
      return toVisitorsCa(ca, kept, false)
    }
  }
  const until = Math.floor(now.getTime() / 1000) * 1000 + CA_DAYS * DAY_MS
  const kept: Note = { ...scope, until }
  return toVisitorsCa(make(path, kept, now), kept, text !== undefined)
}

/** The root certificate that is there; undefined where the edge has made none yet. */
export function visitorsRoot(folder: string): string | undefined {
  const path = join(folder, FILE)
  const text = readIfThere(path)
  return text === undefined ? undefined : readAuthority(path, text).certificate
}

interface Note extends Scope {
  /** End of its validity, wall-clock milliseconds. */
  readonly until: number
}

function make(path: string, note: Note, now: Date): Authority {
  const key = newKey()
  const pem = certificate({
    subject: NAME,
    issuer: NAME,
    key,
    signer: key,
    from: new Date(now.getTime() - BACK_DAYS * DAY_MS),
    to: new Date(note.until),
    extensions: [...authority(key), serversOnly(), nameConstraints([note.domain], note.addresses)],
  })
  const ca = { key, certificate: pem, name: NAME }
  writeAuthority(path, ca, JSON.stringify(note))
  return ca
}

function toVisitorsCa(ca: Authority, scope: Note, renewed: boolean): VisitorsCa {
  const covers = (host: string): boolean => {
    if (familyOf(host) !== 0) return scope.addresses.includes(host)
    return host === scope.domain || host.endsWith(`.${scope.domain}`)
  }
  return {
    certificate: ca.certificate,
    renewed,
    covers,
    issue(hosts, now): KeyAndChain {
      const stranger = hosts.find((host) => !covers(host))
      if (stranger !== undefined || hosts.length === 0)
        throw new RangeError(`no certificate for ${stranger ?? 'no host'}`)
      const from = new Date(now.getTime() - BACK_DAYS * DAY_MS)
      return issueLeaf(ca, { hosts, from, to: new Date(from.getTime() + LEAF_DAYS * DAY_MS) })
    },
  }
}

function includes(kept: Scope, wanted: Scope): boolean {
  return kept.domain === wanted.domain && wanted.addresses.every((address) => kept.addresses.includes(address))
}

function readNote(text: string): Note | undefined {
  try {
    return JSON.parse(text) as Note
  } catch {
    return undefined
  }
}
