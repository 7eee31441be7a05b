/**
 * Whose fault an error is; it decides the log level (our own faults are errors, a visitor's are debug).
 */
export type Fault = 'visitor' | 'service' | 'agent' | 'edge' | 'network' | 'peer' | 'user'

/** What an error ends. `bind` and `command` end only the request for it. */
export type Scope = 'stream' | 'session' | 'carrier' | 'bind' | 'request' | 'command'

export interface CodeRow {
  /** Number in RESET and GOAWAY; absent where the code never rides a frame. */
  readonly wire?: number
  readonly scope: Scope
  readonly fault: Fault
  /** HTTP status that a visitor gets, where one does. */
  readonly status?: number
}

/** Every code of the product. docs/errors.md explains each; a test compares the two. */
export const CODES = {
  // Streams (RESET). protocol.md §4
  CANCELLED: { wire: 1, scope: 'stream', fault: 'visitor' },
  SERVICE_REFUSED: { wire: 2, scope: 'stream', fault: 'service', status: 502 },
  SERVICE_UNREACHABLE: { wire: 3, scope: 'stream', fault: 'service', status: 502 },
  SERVICE_TIMEOUT: { wire: 4, scope: 'stream', fault: 'service', status: 504 },
  SERVICE_BROKE: { wire: 5, scope: 'stream', fault: 'service', status: 502 },
  SERVICE_UNKNOWN: { wire: 6, scope: 'stream', fault: 'agent', status: 502 },
  STREAM_ABORTED: { wire: 7, scope: 'stream', fault: 'network', status: 502 },
  SESSION_FULL: { wire: 8, scope: 'stream', fault: 'edge', status: 503 },
  AGENT_DRAINING: { wire: 9, scope: 'stream', fault: 'agent', status: 503 },
  REACH_DENIED: { wire: 10, scope: 'stream', fault: 'agent', status: 502 },
  SERVICE_CERTIFICATE: { wire: 11, scope: 'stream', fault: 'service', status: 502 },
  SERVICE_LOOP: { wire: 12, scope: 'stream', fault: 'agent', status: 508 },
  // Sessions (GOAWAY). protocol.md §10
  PROTOCOL_VIOLATION: { wire: 32, scope: 'session', fault: 'peer' },
  CREDIT_EXCEEDED: { wire: 33, scope: 'session', fault: 'peer' },
  FRAME_TOO_LARGE: { wire: 34, scope: 'session', fault: 'peer' },
  FRAME_UNKNOWN: { wire: 35, scope: 'session', fault: 'peer' },
  REPLACED: { wire: 36, scope: 'session', fault: 'user' },
  REVOKED: { wire: 37, scope: 'session', fault: 'user' },
  SESSION_CLOSED: { wire: 38, scope: 'session', fault: 'user' },
  GRACE_EXPIRED: { wire: 39, scope: 'session', fault: 'network' },
  MESSAGE_INVALID: { wire: 40, scope: 'session', fault: 'peer' },
  MESSAGE_FLOOD: { wire: 41, scope: 'session', fault: 'peer' },
  BUFFER_EXCEEDED: { wire: 42, scope: 'session', fault: 'peer' },
  // Handshake (refused). protocol.md §2
  SESSION_UNKNOWN: { scope: 'carrier', fault: 'peer' },
  INVITATION_UNKNOWN: { scope: 'carrier', fault: 'user' },
  INVITATION_USED: { scope: 'carrier', fault: 'user' },
  INVITATION_EXPIRED: { scope: 'carrier', fault: 'user' },
  AGENT_UNKNOWN: { scope: 'carrier', fault: 'user' },
  SIGNATURE_INVALID: { scope: 'carrier', fault: 'peer' },
  VERSION_UNSUPPORTED: { scope: 'carrier', fault: 'peer' },
  HANDSHAKE_INVALID: { scope: 'carrier', fault: 'peer' },
  HANDSHAKE_TIMEOUT: { scope: 'carrier', fault: 'network' },
  TOO_MANY_ATTEMPTS: { scope: 'carrier', fault: 'peer' },
  CARRIER_STALE: { scope: 'carrier', fault: 'peer' },
  CARRIER_LOST: { scope: 'carrier', fault: 'network' },
  EDGE_DRAINING: { scope: 'carrier', fault: 'edge' },
  // Bindings (refused, failed). protocol.md §8
  NAME_TAKEN: { scope: 'bind', fault: 'user' },
  NAME_INVALID: { scope: 'bind', fault: 'user' },
  NAME_NOT_ALLOWED: { scope: 'bind', fault: 'user' },
  NAME_UNKNOWN: { scope: 'bind', fault: 'user' },
  PORT_TAKEN: { scope: 'bind', fault: 'user' },
  PORT_NOT_ALLOWED: { scope: 'bind', fault: 'user' },
  PORT_UNAVAILABLE: { scope: 'bind', fault: 'edge' },
  HOST_TAKEN: { scope: 'bind', fault: 'user' },
  HOST_NOT_ALLOWED: { scope: 'bind', fault: 'user' },
  TUNNEL_LIMIT: { scope: 'bind', fault: 'user' },
  PROTOCOL_UNSUPPORTED: { scope: 'bind', fault: 'user' },
  // What an HTTP visitor may be told (Engawa-Error)
  HOST_UNKNOWN: { scope: 'request', fault: 'visitor', status: 404 },
  AGENT_AWAY: { scope: 'request', fault: 'agent', status: 503 },
  REQUEST_INVALID: { scope: 'request', fault: 'visitor', status: 400 },
  HOST_INVALID: { scope: 'request', fault: 'visitor', status: 400 },
  MISDIRECTED: { scope: 'request', fault: 'visitor', status: 421 },
  METHOD_REFUSED: { scope: 'request', fault: 'visitor', status: 405 },
  TARGET_TOO_LONG: { scope: 'request', fault: 'visitor', status: 414 },
  HEAD_TOO_LARGE: { scope: 'request', fault: 'visitor', status: 431 },
  REQUEST_TIMEOUT: { scope: 'request', fault: 'visitor', status: 408 },
  TOO_MANY: { scope: 'request', fault: 'visitor', status: 429 },
  EDGE_BUSY: { scope: 'request', fault: 'edge', status: 503 },
  BLOCKED: { scope: 'request', fault: 'visitor', status: 403 },
  // What the admin API answers besides
  TOKEN_INVALID: { scope: 'request', fault: 'user', status: 401 },
  PATH_UNKNOWN: { scope: 'request', fault: 'user', status: 404 },
  // Commands and files
  FLAG_INVALID: { scope: 'command', fault: 'user' },
  CONFIG_INVALID: { scope: 'command', fault: 'user' },
  TARGET_INVALID: { scope: 'command', fault: 'user' },
  ADDRESS_INVALID: { scope: 'command', fault: 'user' },
  JOIN_LINE_INVALID: { scope: 'command', fault: 'user' },
  NOT_JOINED: { scope: 'command', fault: 'user' },
  ALREADY_JOINED: { scope: 'command', fault: 'user' },
  NO_STATE: { scope: 'command', fault: 'user' },
  NOT_RUNNING: { scope: 'command', fault: 'user' },
  FOLDER_LOCKED: { scope: 'command', fault: 'user' },
  PIN_MISMATCH: { scope: 'command', fault: 'peer' },
  EDGE_NOT_FOUND: { scope: 'command', fault: 'network' },
  EDGE_REFUSED_CONNECTION: { scope: 'command', fault: 'network' },
  EDGE_TIMEOUT: { scope: 'command', fault: 'network' },
  TLS_INTERCEPTED: { scope: 'command', fault: 'network' },
  LISTEN_FAILED: { scope: 'command', fault: 'user' },
  SERVICE_MANAGER: { scope: 'command', fault: 'user' },
  STATE_BROKEN: { scope: 'command', fault: 'edge' },
  STATE_UNWRITABLE: { scope: 'command', fault: 'edge' },
  CERTIFICATE_FAILED: { scope: 'command', fault: 'user' },
  INTERNAL: { scope: 'command', fault: 'edge' },
  NODE_TOO_OLD: { scope: 'command', fault: 'user' },
  FILE_REFUSED: { scope: 'command', fault: 'user' },
} as const
CODES satisfies Record<string, CodeRow>

export type Code = keyof typeof CODES

const BY_WIRE: ReadonlyMap<number, Code> = new Map(
  (Object.entries(CODES) as [Code, CodeRow][]).flatMap(([code, row]) =>
    row.wire === undefined ? [] : [[row.wire, code] as const],
  ),
)

/** The row of a code, widened, so that its optional fields can be asked for. */
export function rowOf(code: Code): CodeRow {
  return CODES[code]
}

export function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text)
}

/** The number that stands for `code` in RESET and GOAWAY; CANCELLED's for a code that never rides a frame. */
export function wireOf(code: Code): number {
  return rowOf(code).wire ?? CODES.CANCELLED.wire
}

/** The code behind a number; an unknown one (a newer peer) is taken by its range. */
export function codeOfWire(wire: number): Code {
  return BY_WIRE.get(wire) ?? (wire < 32 ? 'CANCELLED' : 'SESSION_CLOSED')
}

/** The product's one error class. Branch on `code`, never on the text. */
export class EngawaError extends Error {
  readonly code: Code
  /** The message in Japanese, where it is meant for people. */
  readonly ja: string | undefined

  constructor(code: Code, message: string = code, options?: { cause?: unknown; ja?: string | undefined }) {
    super(message, options)
    this.name = 'EngawaError'
    this.code = code
    this.ja = options?.ja
  }
}

/** The code of anything thrown: ours keep theirs, all else is `fallback`. */
export function codeOf(error: unknown, fallback: Code = 'INTERNAL'): Code {
  return error instanceof EngawaError ? error.code : fallback
}
