import { isIP } from 'node:net'
import { connect, createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls'
import type { Reach } from './reach.ts'
import { denied, isNumeric, lookupWithin, type To, whither } from './tcp.ts'

export interface TlsWish {
  /** The name to ask for and to find in the certificate; the target's host if absent. */
  readonly name: string | undefined
  /** Take any certificate. */
  readonly insecure: boolean
}

/**
 * Begins a connection to an `https://` service: TLS is made and verified here, at home, so that the edge cannot stand in
 * for the service. It is ready at `secureConnect`. The socket fails with what the verification said.
 */
export function connectTls(to: To, reach: Reach, { name, insecure }: TlsWish): TLSSocket {
  const { host } = to
  const expected = name ?? host
  const options = {
    ...whither(to),
    lookup: lookupWithin(reach),
    // An address is no server name (RFC 6066 §3); the certificate must hold it all the same.
    servername: isIP(expected) === 0 ? expected : '',
    rejectUnauthorized: !insecure,
    secureContext: trust(),
    ALPNProtocols: ['http/1.1'],
    allowHalfOpen: true,
  }
  const socket = connect(options)
  socket.setNoDelay(true)
  if (isNumeric(host) && !reach.allows(host)) socket.destroy(denied(host))
  return socket
}

let trusted: SecureContext | undefined

/** What this machine trusts besides what Node brings: people put the root of their own services there. */
function trust(): SecureContext {
  trusted ??= createSecureContext({ ca: [...getCACertificates('default'), ...getCACertificates('system')] })
  return trusted
}
