import { createHash, randomBytes } from 'node:crypto'
import { EngawaError } from '@engawa/shared/errors'
import { encodeJoin } from '@engawa/shared/join'
import { parseName } from '@engawa/shared/names'
import type { AgentRow } from '../store/agents.ts'
import type { Store } from '../store/store.ts'
import { type Grant, USUAL_GRANT } from './grant.ts'

export interface Invitation {
  readonly agent: string
  /** `engawa1:…` */
  readonly line: string
  /** Wall-clock milliseconds. */
  readonly expiresAt: number
  /** The name is known: when the line is used, the key it has now is revoked, names and ports pass on. */
  readonly replaces: boolean
}

/** 256 bits, so that it cannot be guessed however often one tries. */
const SECRET_BYTES = 32

/** Makes a join line for one agent, once. The secret is in the line alone: the store keeps its hash. Throws NAME_INVALID. */
export function invite(
  store: Store,
  wanted: {
    name: string
    expiresMs: number
    /** Undefined: a known agent keeps its grant, a new one gets the usual one. */
    grant: Grant | undefined
    addresses: readonly string[]
    pin: Uint8Array
    /** Wall-clock milliseconds. */
    now: number
  },
): Invitation {
  const name = parseName(wanted.name)
  const secret = randomBytes(SECRET_BYTES)
  const expiresAt = wanted.now + wanted.expiresMs
  store.invitations.add({ hash: hashOf(secret), name, grant: wanted.grant, madeAt: wanted.now, expiresAt })
  return {
    agent: name,
    line: encodeJoin({ addresses: wanted.addresses, secret, pin: wanted.pin }),
    expiresAt,
    replaces: store.agents.byName(name)?.key !== undefined,
  }
}

/** What using an invitation did. */
export interface Joining {
  readonly agent: AgentRow
  /** The agent had another key, whose sessions must end. */
  readonly replaced: boolean
}

/**
 * Uses an invitation for `key` (raw Ed25519, 32 bytes).
 *
 * The same secret with the same key is answered the same until it expires, so a lost answer costs nothing. protocol.md [H4]
 * Throws INVITATION_UNKNOWN, INVITATION_USED, INVITATION_EXPIRED, REVOKED.
 */
export function useInvitation(store: Store, asked: { secret: Uint8Array; key: Uint8Array; now: number }): Joining {
  const { key, now } = asked
  return store.transaction(() => {
    const invitation = store.invitations.byHash(hashOf(asked.secret))
    if (invitation === undefined) {
      throw new EngawaError('INVITATION_UNKNOWN', 'this edge has made no such invitation, or it was withdrawn')
    }
    if (now >= invitation.expiresAt) {
      throw new EngawaError('INVITATION_EXPIRED', `this invitation has expired: edge invite ${invitation.name}`)
    }
    if (store.agents.formerOwner(key) !== undefined) {
      throw new EngawaError('REVOKED', 'this key was revoked: agent leave, and join with a new invitation')
    }
    const holder = store.agents.byKey(key)
    if (invitation.usedKey !== undefined) {
      if (holder !== undefined && equal(invitation.usedKey, key)) return { agent: holder, replaced: false }
      throw new EngawaError('INVITATION_USED', `this invitation was used already: edge invite ${invitation.name}`)
    }
    if (holder !== undefined && holder.name !== invitation.name) {
      throw new EngawaError('INVITATION_USED', `this key belongs to the agent ${holder.name} already`)
    }
    store.invitations.use(invitation.hash, key, now)
    return enrol(store, { name: invitation.name, key, grant: invitation.grant, now })
  })
}

function enrol(
  store: Store,
  wanted: { name: string; key: Uint8Array; grant: Grant | undefined; now: number },
): Joining {
  const { name, key, now } = wanted
  const known = store.agents.byName(name)
  const grant = wanted.grant ?? known?.grant ?? USUAL_GRANT
  const replaced = known?.key !== undefined && !equal(known.key, key)
  if (known === undefined) store.agents.add({ name, key, grant, now })
  else store.agents.rekey(known.id, { key, grant, now })
  const agent = store.agents.byName(name)
  if (agent === undefined) throw new EngawaError('INTERNAL', 'the agent just added is gone')
  return { agent, replaced }
}

function hashOf(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Both are public, or known to who asks: nothing leaks by time. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
