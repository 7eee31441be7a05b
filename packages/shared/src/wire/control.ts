import { type Code, EngawaError, isCode } from '../errors.ts'
import type { Protocol } from './opening.ts'
import { type Check, listOf, maybe, type Shape, text, whole } from './shape.ts'

/** Messages of stream 0. protocol.md §8 */
export interface Bind {
  readonly type: 'bind'
  /** Chosen by the agent, 1 … 2^32−1; OPEN names it. */
  readonly service: number
  readonly name: string
  readonly protocol: Protocol
  /** Own domains, lower case, punycode. */
  readonly hosts?: readonly string[]
  readonly path?: string
  /** Wanted public ports, both inclusive; `exact` refuses instead of giving others. */
  readonly port?: readonly [from: number, to: number]
  readonly exact?: boolean
  /** How many ports in a row a TCP or UDP tunnel needs; 1 if absent. */
  readonly count?: number
  /** Networks whose visitors alone are taken, and those whose visitors are not. protocol.md [M3] */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** HTTP: the Host that the service is asked by, instead of the visitor's. */
  readonly hostHeader?: string
  /** HTTP: `path` is taken off each request's path, and `prefix` is put before what is left. */
  readonly strip?: boolean
  readonly prefix?: string
  /** HTTP: it answers at the bare address, too. */
  readonly bare?: boolean
  /** HTTP: others may stand behind the same name, and `health` says how each is looked at: `tcp` or `http:/PATH`. */
  readonly balance?: boolean
  readonly health?: string
  /** HTTP: the service speaks HTTP/2 with prior knowledge instead of HTTP/1.1. */
  readonly h2c?: boolean
  /** For people: what stands behind, as typed. */
  readonly target: string
}
export interface Unbind {
  readonly type: 'unbind'
  readonly service: number
}
export interface Release {
  readonly type: 'release'
  readonly id: number
  readonly name: string
}
export interface Leave {
  readonly type: 'leave'
  readonly id: number
}
export interface Bound {
  readonly type: 'bound'
  readonly service: number
  readonly name: string
  /** The address to show and copy. */
  readonly public: string
  readonly urls: readonly string[]
  readonly ports?: readonly [from: number, to: number]
  /** Token that the edge answers at `/.well-known/engawa/TOKEN` of this tunnel, so that the agent can check its public address. */
  readonly check?: string
  /** UDP: after this time without a datagram the edge closes a flow, ms. */
  readonly idleMs?: number
  /** `public` becomes https as soon as the edge has a certificate for it. */
  readonly awaitsCertificate?: boolean
}
export interface Refused {
  readonly type: 'refused'
  readonly service: number
  readonly code: Code
  readonly message: string
}
export interface Unbound {
  readonly type: 'unbound'
  readonly service: number
  readonly code: Code
}
export interface Done {
  readonly type: 'done'
  readonly id: number
}
export interface Failed {
  readonly type: 'failed'
  readonly id: number
  readonly code: Code
  readonly message: string
}
/** Summary of one finished request, for the agent's terminal. */
export interface RequestSummary {
  readonly type: 'request'
  readonly service: number
  readonly method: string
  readonly path: string
  readonly status: number
  readonly ms: number
  /** Body bytes from and to the visitor. */
  readonly received: number
  readonly sent: number
  readonly visitor: string
  readonly code?: Code
}
export interface Drain {
  readonly type: 'drain'
  /** From the edge: the generation that takes what is new. [G1] */
  readonly to?: number
}

export type AgentMessage = Bind | Unbind | Release | Leave | Drain
export type EdgeMessage = Bound | Refused | Unbound | Done | Failed | RequestSummary | Drain

const number: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0
const flag: Check = (value) => typeof value === 'boolean'
const code: Check = (value) => typeof value === 'string' && isCode(value)
const range: Check = (value) => {
  if (!Array.isArray(value) || value.length !== 2 || !value.every(whole(1, 65_535))) return false
  return (value[0] as number) <= (value[1] as number)
}
const protocol: Check = (value) => value === 'http' || value === 'tcp' || value === 'tls' || value === 'udp'

const SERVICE = whole(1, 0xffff_ffff)
const ID = whole(0, Number.MAX_SAFE_INTEGER)

const AGENT_SHAPES: Record<AgentMessage['type'], Shape> = {
  bind: {
    service: SERVICE,
    name: text(253),
    protocol,
    hosts: maybe(listOf(100, text(253))),
    path: maybe(text(1024)),
    port: maybe(range),
    exact: maybe(flag),
    count: maybe(whole(1, 65_535)),
    allow: maybe(listOf(1000, text(64))),
    deny: maybe(listOf(1000, text(64))),
    hostHeader: maybe(text(260)),
    strip: maybe(flag),
    prefix: maybe(text(1024)),
    bare: maybe(flag),
    balance: maybe(flag),
    health: maybe(text(1024)),
    h2c: maybe(flag),
    target: text(1024),
  },
  unbind: { service: SERVICE },
  release: { id: ID, name: text(253) },
  leave: { id: ID },
  drain: {},
}
const EDGE_SHAPES: Record<EdgeMessage['type'], Shape> = {
  bound: {
    service: SERVICE,
    name: text(253),
    public: text(1024),
    urls: listOf(400, text(1024)),
    ports: maybe(range),
    check: maybe(text(128)),
    idleMs: maybe(whole(1, Number.MAX_SAFE_INTEGER)),
    awaitsCertificate: maybe(flag),
  },
  refused: { service: SERVICE, code, message: text(1024) },
  unbound: { service: SERVICE, code },
  done: { id: ID },
  failed: { id: ID, code, message: text(1024) },
  request: {
    service: SERVICE,
    method: text(32),
    path: text(1024),
    status: whole(0, 999),
    ms: number,
    received: number,
    sent: number,
    visitor: text(64),
    code: maybe(code),
  },
  drain: { to: maybe(whole(1, Number.MAX_SAFE_INTEGER)) },
}

/** Throws MESSAGE_INVALID. Unknown fields are ignored, so that a newer peer can say more. */
export function parseAgentMessage(json: string): AgentMessage {
  return parse(json, AGENT_SHAPES) as AgentMessage
}

/** Throws MESSAGE_INVALID. */
export function parseEdgeMessage(json: string): EdgeMessage {
  return parse(json, EDGE_SHAPES) as EdgeMessage
}

function parse(json: string, shapes: Record<string, Shape>): unknown {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new EngawaError('MESSAGE_INVALID', 'a message that is no JSON', { cause })
  }
  if (typeof value !== 'object' || value === null)
    throw new EngawaError('MESSAGE_INVALID', 'a message that is no object')
  const message = value as Record<string, unknown>
  const type = message['type']
  const shape = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined
  if (shape === undefined) throw new EngawaError('MESSAGE_INVALID', 'a message of an unknown type')
  for (const [key, check] of Object.entries(shape)) {
    if (!check(message[key])) throw new EngawaError('MESSAGE_INVALID', `${String(type)}.${key} is wrong`)
  }
  return message
}
