import { parseAddress } from '@engawa/shared/addresses'
import { dialCarrier } from '@engawa/shared/carrier/handshake-agent'
import { carrierName } from '@engawa/shared/carrier/trust'
import { codeOf, EngawaError } from '@engawa/shared/errors'
import { makeFolder } from '@engawa/shared/folder'
import { decodeJoin } from '@engawa/shared/join'
import { lockFolder } from '@engawa/shared/lock'
import { parseName, shownName } from '@engawa/shared/names'
import { told } from '@engawa/shared/say'
import { complaint, type Phrase } from './complaint.ts'
import { isGlobal } from './global.ts'
import { type Identity, loadIdentity, ownKey, saveIdentity } from './identity.ts'
import { version } from './version.ts'

/** How long one address may take, milliseconds: several are tried in order while a person waits. */
const ADDRESS_MS = 8000

/**
 * Registers this folder's key at the edge that a join line names, and keeps what the edge says.
 *
 * The key is on disk before anything is sent: a lost answer costs nothing, the same line works again. protocol.md [H4]
 * Throws JOIN_LINE_INVALID, ALREADY_JOINED, FOLDER_LOCKED; EDGE_* when no address answers; PIN_MISMATCH and
 * TLS_INTERCEPTED; the edge's own codes.
 */
export async function joinEdge(folder: string, typed: string, signal?: AbortSignal): Promise<Identity> {
  const line = decodeJoin(typed)
  refuseJoined(folder)
  makeFolder(folder)
  const lock = lockFolder(folder)
  try {
    refuseJoined(folder)
    const key = ownKey(folder)
    const failures: { address: string; error: unknown }[] = []
    for (const address of line.addresses) {
      try {
        const { host, port } = parseAddress(address)
        const challenge = await dialCarrier({
          host,
          port,
          servername: carrierName('new'),
          trust: { pin: line.pin },
          timeoutMs: ADDRESS_MS,
          ...(signal !== undefined && { signal }),
        })
        const secret = Buffer.from(line.secret).toString('base64url')
        const joined = await challenge.join({ secret, software: `engawa-agent/${version()}` }, key)
        const usable = joined.addresses.filter(
          (named) => line.addresses.includes(named) || mayDial(named, line.addresses),
        )
        const addresses = usable.length > 0 ? usable : line.addresses
        const identity = { agent: nameOf(joined.agent), pin: line.pin, ca: joined.ca, addresses, key }
        saveIdentity(folder, identity)
        return identity
      } catch (error) {
        failures.push({ address, error })
        // The edge has spoken: another way to it will not change its mind.
        if (!ON_THE_WAY.has(codeOf(error))) throw explainRefusal(error)
      }
    }
    throw together(failures)
  } finally {
    lock.release()
  }
}

/** It stands in file names, in commands that people copy and on screens: a name and nothing else. */
function nameOf(agent: string): string {
  try {
    return parseName(agent)
  } catch (cause) {
    throw new EngawaError('HANDSHAKE_INVALID', 'the edge gave this agent a name that is none', { cause })
  }
}

/**
 * What the edge says, and not the person who typed the line: it must not have this machine knock at doors of the LAN.
 * So a host of the line is fine, else an address that the whole internet has. A name could lead anywhere, any time.
 */
function mayDial(named: string, line: readonly string[]): boolean {
  try {
    const { host } = parseAddress(named)
    return isGlobal(host) || line.some((address) => parseAddress(address).host === host)
  } catch {
    return false
  }
}

function refuseJoined(folder: string): void {
  const known = loadIdentity(folder)
  if (known !== undefined)
    throw complaint('ALREADY_JOINED', (words) => words.alreadyJoined(shownName(known.agent), folder))
}

/** What the next address may do better. */
const ON_THE_WAY: ReadonlySet<string> = new Set([
  'EDGE_NOT_FOUND',
  'EDGE_REFUSED_CONNECTION',
  'EDGE_TIMEOUT',
  'TLS_INTERCEPTED',
  'PIN_MISMATCH',
  'CARRIER_LOST',
  'HANDSHAKE_TIMEOUT',
  'HANDSHAKE_INVALID',
])

/** One error for all addresses. Its code is of the failure that got furthest: a wrong pin says more than a time-out. */
function together(failures: readonly { address: string; error: unknown }[]): EngawaError {
  const order = [
    'PIN_MISMATCH',
    'TLS_INTERCEPTED',
    'HANDSHAKE_INVALID',
    'CARRIER_LOST',
    'EDGE_REFUSED_CONNECTION',
    'EDGE_TIMEOUT',
  ]
  const rank = (error: unknown): number => (order.indexOf(codeOf(error)) + order.length + 1) % (order.length + 1)
  const worst = failures.toSorted((a, b) => rank(a.error) - rank(b.error))[0]
  const lines: Phrase = (words) =>
    words.noneReached(failures.map(({ address, error }) => `  ${reachFailure(address, error)(words)}`).join('\n'))
  return complaint(codeOf(worst?.error, 'EDGE_NOT_FOUND'), lines, worst?.error)
}

/** Why an address of the edge was not reached, as one sentence with what to look at. */
export function reachFailure(address: string, error: unknown): Phrase {
  return (words) => {
    const why = told(error, words.language)
    switch (codeOf(error)) {
      case 'EDGE_NOT_FOUND':
        return words.edgeNotFound(address)
      case 'EDGE_REFUSED_CONNECTION':
        return words.edgeRefused(address)
      case 'EDGE_TIMEOUT':
      case 'HANDSHAKE_TIMEOUT':
        return words.edgeTimeout(address)
      case 'PIN_MISMATCH':
        return words.edgePin(address)
      case 'TLS_INTERCEPTED':
        return words.edgeTls(address, why)
      default:
        return words.edgeOther(address, why)
    }
  }
}

/** The edge's refusal with what the person can do about it. */
export function explainRefusal(error: unknown): unknown {
  if (!(error instanceof EngawaError)) return error
  const { code, message } = error
  const phrases: Partial<Record<typeof code, Phrase>> = {
    INVITATION_USED: (words) => words.invitationUsed,
    INVITATION_EXPIRED: (words) => words.invitationExpired,
    INVITATION_UNKNOWN: (words) => words.invitationUnknown,
    REVOKED: (words) => words.revoked,
    AGENT_UNKNOWN: (words) => words.revoked,
  }
  return complaint(code, phrases[code] ?? ((words) => words.refusedBy(code, message)), error)
}
