import { type Code, rowOf } from '@engawa/shared/errors'

/** Codes that a scope alone does not decide. contract.md, "Exit codes" */
const EXITS: Partial<Record<Code, number>> = {
  FLAG_INVALID: 2,
  CONFIG_INVALID: 2,
  TARGET_INVALID: 2,
  ADDRESS_INVALID: 2,
  JOIN_LINE_INVALID: 2,
  NAME_INVALID: 2,
  PROTOCOL_UNSUPPORTED: 2,
  NOT_JOINED: 2,
  ALREADY_JOINED: 2,
  NAME_UNKNOWN: 1,
  NOT_RUNNING: 4,
  EDGE_NOT_FOUND: 4,
  EDGE_REFUSED_CONNECTION: 4,
  EDGE_TIMEOUT: 4,
  HANDSHAKE_TIMEOUT: 4,
  CARRIER_LOST: 4,
  REPLACED: 3,
  REVOKED: 3,
  INVITATION_UNKNOWN: 3,
  INVITATION_USED: 3,
  INVITATION_EXPIRED: 3,
  AGENT_UNKNOWN: 3,
  SIGNATURE_INVALID: 3,
  TOO_MANY_ATTEMPTS: 3,
  // As the edge would: every target was refused.
  REACH_DENIED: 3,
}

/** The exit code of a command that failed with `code`. */
export function exitOf(code: Code): number {
  return EXITS[code] ?? (rowOf(code).scope === 'bind' ? 3 : 1)
}
