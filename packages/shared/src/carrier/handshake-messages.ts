import { type Code, EngawaError, isCode } from '../errors.ts'
import type { LostEntry } from '../mux/events.ts'
import { MAX_COUNT, MAX_LOST_ENTRIES } from '../wire/limits.ts'
import { type Check, listOf, maybe, type Shape, text, whole } from '../wire/shape.ts'

/** Messages of the handshake, text messages of one JSON object each. protocol.md §2 */

/** The one version there is. */
export const PROTOCOL_VERSION = 1

export interface ChallengeMessage {
  readonly type: 'challenge'
  readonly version: number
  /** b64(32) */
  readonly nonce: string
  /** b64(32): SHA-256 of the carrier CA's public key. */
  readonly edge: string
  readonly generation: number
  readonly software: string
}

export interface LoginBody {
  /** b64(32), the agent's Ed25519 public key. */
  readonly key: string
  /** b64(16), made at process start. */
  readonly instance: string
  readonly maxStreams: number
  /** Bytes of credit that the agent grants to each stream at its beginning. */
  readonly credit: number
  readonly software: string
  /** Replaces no session of another instance: REPLACED is the answer while there is one. [H9] */
  readonly yields?: boolean
}

export interface AttachBody {
  /** b64(16) */
  readonly session: string
  readonly carrier: number
  readonly lost: readonly LostEntry[]
  /** b64(32), see `proofOf`. */
  readonly proof: string
}

export interface JoinBody {
  /** b64(32), the invitation's secret. */
  readonly secret: string
  /** b64(32), the agent's Ed25519 public key. */
  readonly key: string
  readonly software: string
}

/** Member of the edge set. */
export interface Member {
  readonly addresses: readonly string[]
}

export interface Welcome {
  readonly agent: string
  /** b64(16) */
  readonly session: string
  /** b64(32), in answer to a login alone. [H2] */
  readonly secret?: string
  readonly carrier: number
  readonly generation: number
  readonly graceMs: number
  readonly maxStreams: number
  /** Bytes of credit that the edge grants for a stream's answer at its beginning. */
  readonly credit: number
  readonly lost: readonly LostEntry[]
  readonly members: readonly Member[]
}

export interface Joined {
  /** The name under which the edge knows the agent. */
  readonly agent: string
  /** b64(32) */
  readonly edge: string
  /** HOST:PORT to dial. */
  readonly addresses: readonly string[]
  /** PEM of the carrier CA. */
  readonly ca: string
}

export type Answer =
  | ({ readonly type: 'welcome' } & Welcome)
  | ({ readonly type: 'joined' } & Joined)
  | { readonly type: 'refused'; readonly code: Code; readonly message: string }

export type Asking = 'login' | 'attach' | 'join'

/** What the agent says, its body still as the text that was signed. */
export interface Request {
  readonly type: Asking
  readonly body: string
  /** b64(64) */
  readonly signature: string
}

type Fields = Record<string, unknown>

/** Unpadded base64url of exactly so many bytes, in its one canonical form. */
const b64 =
  (bytes: number): Check =>
  (value) => {
    if (typeof value !== 'string' || value.length > 2 * bytes) return false
    const decoded = Buffer.from(value, 'base64url')
    return decoded.length === bytes && decoded.toString('base64url') === value
  }
const U32 = 2 ** 32 - 1
const SOFTWARE = text(128)
const carrier = whole(1, U32)
const lost: Check = (value) =>
  Array.isArray(value) && value.length === 2 && carrier(value[0]) && whole(0, MAX_COUNT)(value[1])
const addresses = listOf(32, text(300))
const member: Check = (value) =>
  typeof value === 'object' && value !== null && addresses((value as Fields)['addresses'])

const CHALLENGE: Shape = {
  version: whole(1, U32),
  nonce: b64(32),
  edge: b64(32),
  generation: whole(0, MAX_COUNT),
  software: SOFTWARE,
}
const BODIES: Record<Asking, Shape> = {
  login: {
    key: b64(32),
    instance: b64(16),
    maxStreams: whole(1, 65_536),
    credit: whole(1, U32),
    software: SOFTWARE,
    yields: (value) => value === undefined || typeof value === 'boolean',
  },
  attach: { session: b64(16), carrier, lost: listOf(MAX_LOST_ENTRIES, lost), proof: b64(32) },
  join: { secret: b64(32), key: b64(32), software: SOFTWARE },
}
const ANSWERS: Record<Answer['type'], Shape> = {
  welcome: {
    agent: text(253),
    session: b64(16),
    secret: maybe(b64(32)),
    carrier,
    generation: whole(0, MAX_COUNT),
    graceMs: whole(0, MAX_COUNT),
    maxStreams: whole(1, 65_536),
    credit: whole(1, U32),
    lost: listOf(MAX_LOST_ENTRIES, lost),
    members: listOf(64, member),
  },
  joined: { agent: text(253), edge: b64(32), addresses, ca: text(8192) },
  refused: { code: text(64), message: text(1024) },
}

/** Throws HANDSHAKE_INVALID; VERSION_UNSUPPORTED where only the version is another. */
export function parseChallenge(json: string): ChallengeMessage {
  const fields = parse(json)
  if (fields['type'] === 'refused') throw refusalOf(demand(fields, ANSWERS.refused))
  if (fields['type'] !== 'challenge') throw invalid('no challenge')
  if (whole(1, U32)(fields['version']) && fields['version'] !== PROTOCOL_VERSION) {
    throw new EngawaError('VERSION_UNSUPPORTED', `the edge speaks protocol version ${String(fields['version'])}`)
  }
  return demand(fields, CHALLENGE) as unknown as ChallengeMessage
}

/** Throws HANDSHAKE_INVALID. */
export function parseRequest(json: string): Request {
  const fields = parse(json)
  const type = fields['type']
  if (type !== 'login' && type !== 'attach' && type !== 'join') throw invalid('neither login, attach nor join')
  demand(fields, { body: text(16_384), signature: b64(64) })
  return fields as unknown as Request
}

/** Throws HANDSHAKE_INVALID. Unknown fields are ignored, so that a newer agent can say more. */
export function parseLogin(body: string): LoginBody {
  return demand(parse(body), BODIES.login) as unknown as LoginBody
}

export function parseAttach(body: string): AttachBody {
  return demand(parse(body), BODIES.attach) as unknown as AttachBody
}

export function parseJoin(body: string): JoinBody {
  return demand(parse(body), BODIES.join) as unknown as JoinBody
}

/** Throws HANDSHAKE_INVALID, and the edge's own code where it refused. */
export function parseAnswer(json: string, wanted: 'welcome'): Welcome
export function parseAnswer(json: string, wanted: 'joined'): Joined
export function parseAnswer(json: string, wanted: 'welcome' | 'joined'): Welcome | Joined {
  const fields = parse(json)
  if (fields['type'] === 'refused') throw refusalOf(demand(fields, ANSWERS.refused))
  if (fields['type'] !== wanted) throw invalid(`no ${wanted}`)
  return demand(fields, ANSWERS[wanted]) as unknown as Welcome | Joined
}

function refusalOf(fields: Fields): EngawaError {
  const code = String(fields['code'])
  return new EngawaError(isCode(code) ? code : 'HANDSHAKE_INVALID', String(fields['message']))
}

function invalid(what: string): EngawaError {
  return new EngawaError('HANDSHAKE_INVALID', `wrong handshake message: ${what}`)
}

function parse(json: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new EngawaError('HANDSHAKE_INVALID', 'a handshake message that is no JSON', { cause })
  }
  if (typeof value !== 'object' || value === null) throw invalid('no object')
  return value as Fields
}

function demand(fields: Fields, shape: Shape): Fields {
  for (const [key, passes] of Object.entries(shape)) {
    if (!passes(fields[key])) throw invalid(`${key} is wrong`)
  }
  return fields
}
