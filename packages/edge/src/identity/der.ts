import type forge from 'node-forge'
// This part alone: the whole of it would be loaded at each start.
// @ts-expect-error -- it is described as a whole
import part from 'node-forge/lib/asn1.js'

/** DER, written with forge's ASN.1. Nothing is ever parsed with forge: its past holes are there. */
export type Node = forge.asn1.Asn1

const asn1 = part as typeof forge.asn1
const { Class, Type } = asn1

export function sequence(...children: Node[]): Node {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, children)
}

export function set(...children: Node[]): Node {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, children)
}

/** `[number]`, constructed: EXPLICIT tags and IMPLICIT ones of constructed types. */
export function tagged(number: number, ...children: Node[]): Node {
  return asn1.create(Class.CONTEXT_SPECIFIC, contextType(number), true, children)
}

/** `[number] IMPLICIT` of a primitive type. */
export function tag(number: number, bytes: Uint8Array): Node {
  return asn1.create(Class.CONTEXT_SPECIFIC, contextType(number), false, binary(bytes))
}

export function oid(dotted: string): Node {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes())
}

/** A positive integer; `bytes` big endian. */
export function integer(bytes: Uint8Array): Node {
  const positive = (bytes[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...bytes) : bytes
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(positive))
}

export function boolean(value: boolean): Node {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\u00ff' : '\u0000')
}

export function utf8(text: string): Node {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, binary(Buffer.from(text)))
}

export function octets(content: Uint8Array): Node {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(content))
}

/** `unused`: how many of the last byte's bits do not count. */
export function bits(content: Uint8Array, unused: number = 0): Node {
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, binary(Uint8Array.of(unused, ...content)))
}

/** RFC 5280 §4.1.2.5: UTCTime from 1950 to 2049, GeneralizedTime otherwise. */
export function time(date: Date): Node {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '')
  const year = date.getUTCFullYear()
  return year >= 1950 && year < 2050
    ? asn1.create(Class.UNIVERSAL, Type.UTCTIME, false, digits.slice(2))
    : asn1.create(Class.UNIVERSAL, Type.GENERALIZEDTIME, false, digits)
}

/** What is DER already. */
export function raw(der: Uint8Array): Node {
  return asn1.fromDer(binary(der))
}

export function encode(node: Node): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1')
}

/** forge's types know universal tags alone. */
function contextType(number: number): forge.asn1.Type {
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
  return number
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
