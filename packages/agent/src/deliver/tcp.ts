import { lookup as resolve } from 'node:dns'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { EngawaError } from '@engawa/shared/errors'
import type { Reach } from './reach.ts'

export interface To {
  readonly host: string
  readonly port: number
  /** The address to come from, in 127.0.0.0/8; undefined: the machine's choice. */
  readonly from?: string | undefined
}

/** The same for `connect`. */
export function whither({ host, port, from }: To): { host: string; port: number; localAddress?: string; family?: 4 } {
  return { host, port, ...(from !== undefined && { localAddress: from, family: 4 }) }
}

/**
 * Begins a TCP connection to a service. The name is resolved for each connection and every address is checked after
 * that, so that a name that changes its address between check and use gains nothing (DNS rebinding).
 * The socket fails with REACH_DENIED when no address is left.
 */
export function connectTcp(to: To, reach: Reach): Socket {
  const { host } = to
  const socket = connect({ ...whither(to), lookup: lookupWithin(reach), allowHalfOpen: true, noDelay: true })
  if (isNumeric(host) && !reach.allows(host)) socket.destroy(denied(host))
  return socket
}

/** A lookup that gives only addresses that may be reached. Fails with REACH_DENIED where none is left. */
export function lookupWithin(reach: Reach): LookupFunction {
  return (name, options, callback) => {
    resolve(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '')
      const allowed = found.filter(({ address }) => reach.allows(address))
      const first = allowed[0]
      if (first === undefined) return callback(denied(name), '')
      if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}

/** Such a host is never looked up. */
export function isNumeric(host: string): boolean {
  return isIP(host.replace(/%.*$/, '')) !== 0
}

export function denied(host: string): EngawaError {
  return new EngawaError('REACH_DENIED', `${host} is a link-local or metadata address; --reach CIDR would allow it`)
}
