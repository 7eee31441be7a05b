import type { Socket } from 'node:net'
import { type Code, EngawaError } from '@engawa/shared/errors'
import type { Wish } from '../wish.ts'
import type { Reach } from './reach.ts'
import { connectTcp } from './tcp.ts'
import { connectTls } from './tls.ts'
import { connectUnix } from './unix.ts'

export interface Delivery {
  readonly socket: Socket
  /** The event at which the service has been reached. */
  readonly ready: 'connect' | 'secureConnect'
}

export interface Way {
  /** Counted from 0 within the target's range; the caller has checked it. */
  readonly portIndex: number
  readonly reach: Reach
  /** The address to come from, in 127.0.0.0/8; undefined: the machine's choice. */
  readonly from?: string | undefined
}

/** Begins a connection to the service of `wish`, which is no folder. */
export function deliver({ target, hostHeader, insecure }: Wish, { portIndex, reach, from }: Way): Delivery {
  const { place } = target
  if (place.kind === 'socket') return { socket: connectUnix(place.path), ready: 'connect' }
  if (place.kind === 'folder') throw new EngawaError('SERVICE_UNREACHABLE', 'a folder is no socket')
  const port = place.port + portIndex
  const to = { host: place.host, port, from }
  if (!target.secure) return { socket: connectTcp(to, reach), ready: 'connect' }
  const name = hostHeader?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return { socket: connectTls(to, reach, { name, insecure: insecure === true }), ready: 'secureConnect' }
}

/** What Node's TLS says of a certificate that does not hold: OpenSSL's X509_V_ERR_… and its own. */
const CERTIFICATE =
  /CERT|ALTNAME|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET|DECRYPT)|SIGNATURE|CRL|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH/
/** It answers, but not in TLS, or not in any that this side speaks. */
const NO_TLS = /^(?:EPROTO|ERR_SSL_|ERR_TLS_)/

const REFUSED = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EACCES', 'ENOTSOCK', 'EPROTOTYPE'])

/** Why a service was not reached, as the visitor may be told. */
export function failureOf(error: unknown): Code {
  if (error instanceof EngawaError) return error.code
  const causes = error instanceof AggregateError ? (error.errors as unknown[]) : [error]
  const codes = causes.map((cause) => (cause as NodeJS.ErrnoException | undefined)?.code ?? '')
  if (codes.some((code) => CERTIFICATE.test(code))) return 'SERVICE_CERTIFICATE'
  if (codes.some((code) => NO_TLS.test(code))) return 'SERVICE_BROKE'
  if (codes.some((code) => REFUSED.has(code))) return 'SERVICE_REFUSED'
  if (codes.includes('ETIMEDOUT')) return 'SERVICE_TIMEOUT'
  return 'SERVICE_UNREACHABLE'
}
