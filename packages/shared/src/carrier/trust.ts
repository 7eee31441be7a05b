import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { EngawaError } from '../errors.ts'
import { pinOf } from './handshake-proof.ts'

/** What the agent knows of its edge: the carrier CA, or only the SHA-256 of that CA's public key (a join line). */
export type Trust = { readonly ca: string } | { readonly pin: Uint8Array }

/** AES-128 first: the cheapest per byte where the processor has AES. All of TLS 1.3's are safe. */
export const CARRIER_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384'
/** All server names of carriers lie below it; every edge's carrier certificate is for all of them. protocol.md [C1] */
export const CARRIER_ZONE = 'carrier.engawa.internal'
/** What to ask for: a session of one generation, or whichever edge process is the newest. protocol.md [C1] */
export function carrierName(generation: number | 'new'): string {
  return `${generation === 'new' ? generation : `g${generation}`}.${CARRIER_ZONE}`
}

/** A chain of ours has two. */
const MAX_CHAIN = 8

/**
 * Checks the certificate that the other end has shown and proved to hold, and gives the edge's identity. protocol.md [C2]
 *
 * No clock is in it: a machine that boots in 1970 must get in, and what counts is the CA's key. So TLS itself is told
 * not to judge (`rejectUnauthorized: false`), and this is called before a byte is sent.
 * Throws PIN_MISMATCH (another edge) or TLS_INTERCEPTED (no edge at all).
 */
export function checkTrust(socket: TLSSocket, trust: Trust, servername: string): Buffer {
  const chain = chainOf(socket)
  const leaf = chain[0]
  if (leaf === undefined) throw new EngawaError('TLS_INTERCEPTED', 'no certificate was shown')
  const known = 'ca' in trust ? new X509Certificate(trust.ca) : undefined
  const pin = known === undefined ? Buffer.from((trust as { pin: Uint8Array }).pin) : pinOf(known)
  const candidates = known === undefined ? chain.slice(1) : [known]
  const ca = candidates.find((certificate) => pinOf(certificate).equals(pin))
  if (ca !== undefined && issued(ca, leaf) && leaf.checkHost(servername) !== undefined) return pin
  throw leaf.subjectAltName === `DNS:*.${CARRIER_ZONE}`
    ? new EngawaError('PIN_MISMATCH', 'another edge answers there: its key is not the one that was given')
    : new EngawaError('TLS_INTERCEPTED', `a certificate issued by ${issuerOf(leaf)}`, {
        ja: `証明書の発行者: ${issuerOf(leaf)}`,
      })
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < MAX_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

function issued(ca: X509Certificate, leaf: X509Certificate): boolean {
  return ca.ca && leaf.checkIssued(ca) && leaf.verify(ca.publicKey)
}

/** Who issued it tells a person which box or program it is. */
function issuerOf(leaf: X509Certificate): string {
  return leaf.issuer.replaceAll(/\s+/g, ' ').slice(0, 200)
}
