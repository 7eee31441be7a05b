import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { pinOf } from '@engawa/shared/carrier/handshake-proof'
import { CARRIER_ZONE } from '@engawa/shared/carrier/trust'
import { readIfThere } from '@engawa/shared/folder'
import { type Authority, issueLeaf, type KeyAndChain, newKey, readAuthority, writeAuthority } from './authority.ts'
import { authority, certificate } from './x509.ts'

/** The authority behind every carrier: agents pin it. protocol.md [C2] */
export interface CarrierCa {
  /** PEM, handed to agents in `joined`. */
  readonly certificate: string
  /** SHA-256 of its public key: the pin in join lines, and the edge's identity. 32 bytes. */
  readonly pin: Uint8Array
  /** For TLS on carriers; made anew at each start. */
  readonly leaf: KeyAndChain
}

const FILE = 'carrier-ca.pem'
const NAME = 'Engawa carrier CA'
/** protocol.md [C1] */
const HOSTS = [`*.${CARRIER_ZONE}`]
/** A Raspberry Pi boots in 1970: no clock may decide whether an agent gets in. [H3] RFC 5280 §4.1.2.5 names the last day. */
const FROM = new Date(0)
const TO = new Date('9999-12-31T23:59:59Z')

/** Reads it from the edge's folder, or makes it there. */
export function openCarrierCa(folder: string): CarrierCa {
  const path = join(folder, FILE)
  const text = readIfThere(path)
  const ca = text === undefined ? make(path) : readAuthority(path, text)
  return {
    certificate: ca.certificate,
    pin: pinOf(new X509Certificate(ca.certificate)),
    leaf: issueLeaf(ca, { hosts: HOSTS, from: FROM, to: TO }),
  }
}

function make(path: string): Authority {
  const key = newKey()
  const pem = certificate({
    subject: NAME,
    issuer: NAME,
    key,
    signer: key,
    from: FROM,
    to: TO,
    extensions: authority(key),
  })
  const ca = { key, certificate: pem, name: NAME }
  writeAuthority(path, ca, 'Agents trust this key alone: without it every agent has to join anew.')
  return ca
}
