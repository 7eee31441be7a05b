import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'
import {
  bits,
  boolean,
  encode,
  integer,
  type Node,
  octets,
  oid,
  raw,
  sequence,
  set,
  tag,
  tagged,
  time,
  utf8,
} from './der.ts'

/** X.509 v3 certificates with P-256 keys. RFC 5280; ECDSA signatures RFC 5758. */
export interface CertificateSpec {
  /** Common name, for people. */
  readonly subject: string
  readonly issuer: string
  /** Whose certificate it is; private or public. */
  readonly key: KeyObject
  /** The issuer's private key. */
  readonly signer: KeyObject
  readonly from: Date
  readonly to: Date
  readonly extensions: readonly Node[]
}

const ECDSA_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
/** GeneralName, RFC 5280 §4.2.1.6. */
const DNS_NAME = 2
const IP_ADDRESS = 7

/** Makes and signs a certificate, PEM. */
export function certificate(spec: CertificateSpec): string {
  const algorithm = sequence(oid(ECDSA_SHA256))
  const body = sequence(
    tagged(0, integer(Uint8Array.of(2))),
    integer(serial()),
    algorithm,
    name(spec.issuer),
    sequence(time(spec.from), time(spec.to)),
    name(spec.subject),
    raw(publicKeyDer(spec.key)),
    tagged(3, sequence(...spec.extensions)),
  )
  const signature = sign('sha256', encode(body), { key: spec.signer, dsaEncoding: 'der' })
  const der = encode(sequence(body, algorithm, bits(signature)))
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`
}

/** Of an authority that issues leaves only. */
export function authority(key: KeyObject): Node[] {
  return [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Uint8Array.of(0)))),
    // keyCertSign and cRLSign, bits 5 and 6.
    extension('2.5.29.15', true, bits(Uint8Array.of(0b0000_0110), 1)),
    extension('2.5.29.14', false, octets(keyId(key))),
  ]
}

/** Of a server's certificate. `hosts` are names, wildcards and IP addresses. */
export function server(key: KeyObject, issuer: KeyObject, hosts: readonly string[]): Node[] {
  return [
    extension('2.5.29.19', true, sequence()),
    // digitalSignature, bit 0.
    extension('2.5.29.15', true, bits(Uint8Array.of(0b1000_0000), 7)),
    extension('2.5.29.37', false, sequence(oid(SERVER_AUTH))),
    extension('2.5.29.17', false, sequence(...hosts.map(generalName))),
    extension('2.5.29.14', false, octets(keyId(key))),
    extension('2.5.29.35', false, sequence(tag(0, keyId(issuer)))),
  ]
}

/**
 * Confines an authority to these names (with all below them) and addresses; critical. RFC 5280 §4.2.1.10
 * A kind of name that is not listed would be free: so without addresses all are excluded.
 */
export function nameConstraints(domains: readonly string[], addresses: readonly string[]): Node {
  const permitted = [
    ...domains.map((domain) => sequence(tag(DNS_NAME, Buffer.from(domain)))),
    ...addresses.map((address) => {
      const bytes = addressBytes(address)
      return sequence(tag(IP_ADDRESS, Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)])))
    }),
  ]
  const everyAddress = [8, 32].map((length) => sequence(tag(IP_ADDRESS, Buffer.alloc(length))))
  const parts = [tagged(0, ...permitted)]
  if (addresses.length === 0) parts.push(tagged(1, ...everyAddress))
  return extension('2.5.29.30', true, sequence(...parts))
}

/** Only for TLS servers: such an authority cannot sign mail or programs. */
export function serversOnly(): Node {
  return extension('2.5.29.37', false, sequence(oid(SERVER_AUTH)))
}

function extension(id: string, critical: boolean, value: Node): Node {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(encode(value)))
}

function name(commonName: string): Node {
  return sequence(set(sequence(oid(COMMON_NAME), utf8(commonName))))
}

function generalName(host: string): Node {
  const isAddress = host.includes(':') || isIPv4(host)
  return isAddress ? tag(IP_ADDRESS, addressBytes(host)) : tag(DNS_NAME, Buffer.from(host))
}

/** 128 random bits, positive and without a leading zero byte. RFC 5280 §4.1.2.2 */
function serial(): Uint8Array {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes
}

function publicKeyDer(key: KeyObject): Buffer {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return half.export({ type: 'spki', format: 'der' })
}

/** RFC 7093 §2 method 1: 160 bits of the SHA-256 of the key. */
function keyId(key: KeyObject): Buffer {
  return createHash('sha256').update(publicKeyDer(key)).digest().subarray(0, 20)
}

function addressBytes(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray())
}
