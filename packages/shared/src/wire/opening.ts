import { EngawaError } from '../errors.ts'

export type Protocol = 'http' | 'tcp' | 'tls' | 'udp'

/** By their number on the wire. */
const PROTOCOLS: readonly (Protocol | undefined)[] = [undefined, 'http', 'tcp', 'tls', 'udp']

/** An IP address and port as they ride the wire. */
export interface Endpoint {
  /** 0: unknown, as with a Unix socket. */
  readonly family: 0 | 4 | 6
  /** Text form, `203.0.113.7` or `2001:db8::1`; empty for family 0. Never IPv4-mapped. */
  readonly address: string
  readonly port: number
}

/** What a visitor asked for. protocol.md §7 */
export interface Opening {
  readonly service: number
  /** Which port of a range, from 0. */
  readonly portIndex: number
  readonly protocol: Protocol
  readonly visitor: Endpoint
  readonly public: Endpoint
}

export const NOWHERE: Endpoint = { family: 0, address: '', port: 0 }

/*
 *  0         4            6          7       8              27            46
 *  ┌─────────┬────────────┬──────────┬───────┬──────────────┬─────────────┐
 *  │ service │ port index │ protocol │ flags │ visitor (19) │ public (19) │
 *  └─────────┴────────────┴──────────┴───────┴──────────────┴─────────────┘
 */
export const OPENING_BYTES = 46
const ENDPOINT_BYTES = 19
const DOT = 0x2e
const ZERO = 0x30

export function encodeOpening(opening: Opening): Uint8Array {
  const bytes = new Uint8Array(OPENING_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, opening.service, true)
  view.setUint16(4, opening.portIndex, true)
  bytes[6] = PROTOCOLS.indexOf(opening.protocol)
  writeEndpoint(bytes, 8, opening.visitor)
  writeEndpoint(bytes, 8 + ENDPOINT_BYTES, opening.public)
  return bytes
}

/** Throws PROTOCOL_VIOLATION. */
export function decodeOpening(bytes: Uint8Array): Opening {
  if (bytes.length !== OPENING_BYTES) throw new EngawaError('PROTOCOL_VIOLATION', 'opening of a wrong length')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const protocol = PROTOCOLS[bytes[6] ?? 0]
  if (protocol === undefined) throw new EngawaError('PROTOCOL_VIOLATION', 'opening of an unknown protocol')
  return {
    service: view.getUint32(0, true),
    portIndex: view.getUint16(4, true),
    protocol,
    visitor: readEndpoint(bytes, 8),
    public: readEndpoint(bytes, 8 + ENDPOINT_BYTES),
  }
}

/** An IP address in text, IPv4-mapped ones as IPv4, as an endpoint. Anything that is no address is NOWHERE. */
export function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  if (address === undefined) return NOWHERE
  const text = address.includes('%') ? address.replace(/%.*$/, '') : address
  if (parse4(text) !== undefined) return { family: 4, address: text, port: port ?? 0 }
  const groups = parse6(text)
  return groups === undefined ? NOWHERE : ofGroups(groups, port ?? 0)
}

/** A mapped address is IPv4 in whatever way it was spelt: limits and headers go by it. protocol.md [O2] */
function ofGroups(groups: readonly number[], port: number): Endpoint {
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
  if (!mapped) return { family: 6, address: format6(groups), port }
  const [high = 0, low = 0] = groups.slice(6)
  return { family: 4, address: `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`, port }
}

function writeEndpoint(bytes: Uint8Array, at: number, { family, address, port }: Endpoint): void {
  bytes[at] = family
  if (family === 4) bytes.set(parse4(address) ?? [], at + 1)
  if (family === 6) {
    const groups = parse6(address) ?? []
    groups.forEach((group, index) => {
      bytes[at + 1 + 2 * index] = group >> 8
      bytes[at + 2 + 2 * index] = group & 0xff
    })
  }
  bytes[at + 17] = port & 0xff
  bytes[at + 18] = port >> 8
}

function readEndpoint(bytes: Uint8Array, at: number): Endpoint {
  const byte = (index: number): number => bytes[at + index] ?? 0
  const port = byte(17) | (byte(18) << 8)
  if (byte(0) === 0) return { family: 0, address: '', port }
  if (byte(0) === 4) return { family: 4, address: `${byte(1)}.${byte(2)}.${byte(3)}.${byte(4)}`, port }
  if (byte(0) !== 6) throw new EngawaError('PROTOCOL_VIOLATION', 'address of an unknown family')
  const groups = Array.from({ length: 8 }, (_, index) => (byte(1 + 2 * index) << 8) | byte(2 + 2 * index))
  return ofGroups(groups, port)
}

function parse4(text: string): number[] | undefined {
  if (text.length > 15) return undefined
  const numbers: number[] = []
  // Digit by digit: every connection and each of many requests comes by here.
  for (let at = 0; at <= text.length; at++) {
    const from = at
    let number = 0
    for (; at < text.length && text.charCodeAt(at) !== DOT; at++) {
      const digit = text.charCodeAt(at) - ZERO
      // No octal, which some would read in a leading zero.
      if (digit < 0 || digit > 9 || (at > from && number === 0)) return undefined
      number = number * 10 + digit
    }
    if (at === from || number > 255) return undefined
    numbers.push(number)
  }
  return numbers.length === 4 ? numbers : undefined
}

/** RFC 4291 §2.2, all three forms. */
function parse6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : []
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail]
}

/** `isLast`: the final part may be dotted IPv4. */
function groupsOf(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const four = isLast && index === parts.length - 1 ? parse4(part) : undefined
    if (four !== undefined) {
      groups.push(((four[0] ?? 0) << 8) | (four[1] ?? 0), ((four[2] ?? 0) << 8) | (four[3] ?? 0))
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}

/** RFC 5952: lower case, the longest run of zeros (two or more) as `::`. */
function format6(groups: readonly number[]): string {
  let best = { from: 0, length: 1 }
  for (let from = 0; from < 8; from++) {
    let length = 0
    while (groups[from + length] === 0) length++
    if (length > best.length) best = { from, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.from).join(':')}::${hex.slice(best.from + best.length).join(':')}`
}
