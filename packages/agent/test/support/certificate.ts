import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A carrier CA and its leaf, valid 1970–9999, made without any X.509 library: 60 lines of DER. */
export interface TestEdge {
  readonly ca: string
  readonly key: string
  /** The leaf with the CA behind it. */
  readonly cert: string
  /** DER SubjectPublicKeyInfo of the CA. */
  readonly caPublicKey: Buffer
}

export interface TestEdgeOptions {
  readonly name?: string
  readonly notBefore?: string
  readonly notAfter?: string
}

export function makeTestEdge(options: TestEdgeOptions = {}): TestEdge {
  const { name = '*.carrier.engawa.internal' } = options
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const caPem = certificate('Test carrier CA', ca.publicKey, ca.privateKey, CA_EXTENSIONS, options)
  const leafPem = certificate('edge', leaf.publicKey, ca.privateKey, altName(name), options)
  return {
    ca: caPem,
    key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: leafPem + caPem,
    caPublicKey: ca.publicKey.export({ type: 'spki', format: 'der' }),
  }
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const size = body.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), body])
}

const SEQUENCE = 0x30
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const octets = (bytes: Buffer): Buffer => der(0x04, bytes)
const TRUE = Buffer.of(0x01, 0x01, 0xff)
const ECDSA_SHA256 = der(SEQUENCE, oid('2a8648ce3d040302'))
const CA_EXTENSIONS = der(SEQUENCE, oid('551d13'), TRUE, octets(der(SEQUENCE, TRUE)))

function altName(name: string): Buffer {
  return der(SEQUENCE, oid('551d11'), octets(der(SEQUENCE, der(0x82, Buffer.from(name)))))
}

function nameOf(commonName: string): Buffer {
  return der(SEQUENCE, der(0x31, der(SEQUENCE, oid('550403'), der(0x0c, Buffer.from(commonName)))))
}

function certificate(
  subject: string,
  publicKey: KeyObject,
  issuerKey: KeyObject,
  extension: Buffer,
  { notBefore = '19700101000000Z', notAfter = '99991231235959Z' }: TestEdgeOptions,
): string {
  const time = (text: string): Buffer => der(0x18, Buffer.from(text))
  const signed = der(
    SEQUENCE,
    der(0xa0, Buffer.of(0x02, 0x01, 0x02)),
    der(0x02, Buffer.of(0x01), randomBytes(8)),
    ECDSA_SHA256,
    nameOf('Test carrier CA'),
    der(SEQUENCE, time(notBefore), time(notAfter)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(SEQUENCE, extension)),
  )
  const signature = der(0x03, Buffer.of(0), sign('sha256', signed, issuerKey))
  const base64 = der(SEQUENCE, signed, ECDSA_SHA256, signature).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`
}
