import {
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
  type X509Certificate,
} from 'node:crypto'
import type { Asking } from './handshake-messages.ts'

/** RFC 8446 §7.5; protocol.md §2 */
export const EXPORTER_LABEL = 'EXPORTER-engawa-carrier'
export const EXPORTER_BYTES = 32
/** In TLS 1.3 an empty context is the same as none. */
export const NO_CONTEXT: Buffer = Buffer.alloc(0)

/** What a carrier is bound to: a signature over it is worth nothing on another. [H1] */
export interface Binding {
  readonly nonce: Uint8Array
  /** The edge's identity. */
  readonly edge: Uint8Array
  /** 32 zero bytes on a plain carrier. */
  readonly exporter: Uint8Array
}

/** `context ‖ 0x00 ‖ nonce ‖ edge ‖ exporter ‖ UTF-8(body)`, see protocol.md §2. */
export function signedBytes(asking: Asking, binding: Binding, body: string): Buffer {
  const context = Buffer.from(`engawa ${asking} 1\0`)
  return Buffer.concat([context, binding.nonce, binding.edge, binding.exporter, Buffer.from(body)])
}

/** b64 of the Ed25519 signature. */
export function signatureOf(key: KeyObject, signed: Uint8Array): string {
  return sign(null, signed, key).toString('base64url')
}

/** `publicKey` is b64 of the raw 32 bytes. False also for bytes that are no point of the curve. */
export function signatureHolds(publicKey: string, signed: Uint8Array, signature: string): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
    return verify(null, signed, key, Buffer.from(signature, 'base64url'))
  } catch {
    return false
  }
}

/** b64 of the raw public half of an Ed25519 key, private or public. */
export function publicKeyOf(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key
  const { x } = half.export({ format: 'jwk' })
  if (x === undefined) throw new TypeError('no Ed25519 key')
  return x
}

/** `HMAC-SHA-256(session secret, session id ‖ exporter)`: whoever attaches knows what the login was told. [H2] */
export function proofOf(secret: Uint8Array, session: string, exporter: Uint8Array): string {
  return createHmac('sha256', secret).update(Buffer.from(session, 'base64url')).update(exporter).digest('base64url')
}

export function proofHolds(secret: Uint8Array, session: string, exporter: Uint8Array, proof: string): boolean {
  const expected = Buffer.from(proofOf(secret, session, exporter), 'base64url')
  const given = Buffer.from(proof, 'base64url')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

/** SHA-256 of a certificate's public key (DER SubjectPublicKeyInfo): the pin of a CA, and the identity of its edge. [C2] */
export function pinOf(certificate: X509Certificate): Buffer {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
}
