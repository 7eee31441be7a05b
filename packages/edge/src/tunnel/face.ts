import { formatHost } from '@engawa/shared/addresses'
import { formatRange } from '@engawa/shared/ports'
import type { Lease } from '../store/leases.ts'

/** How the edge looks from outside, once it listens. */
export interface Face {
  readonly domain: string
  /** Real port of the HTTP listener. */
  readonly http: number
  /** Undefined with `--https off`. */
  readonly https:
    | {
        readonly port: number
        /** There is a certificate for this host. */
        serves(host: string): boolean
        /** One that browsers trust. */
        trusted(host: string): boolean
        /** One that browsers trust is to come. */
        awaited(host: string): boolean
      }
    | undefined
  /** What stands before a port: the domain; with `--domain localhost` the public host or a global address, else localhost. */
  readonly host: string
  /** With `--domain localhost` and an address that others reach: each HTTP tunnel has a port of its own. */
  readonly portPerHttp: boolean
  /** Ports that the edge itself listens on. */
  readonly ownPorts: readonly number[]
}

export interface Addresses {
  /** The one to show and copy. */
  readonly public: string
  /** All, that one first. */
  readonly urls: readonly string[]
  /** `public` is to be https as soon as its certificate is there. */
  readonly awaited: boolean
}

/** Where visitors find a tunnel. `hosts`: all that lead to it, the name's own first. contract.md, "`public` is https only where …" */
export function addressesOf(lease: Lease, hosts: readonly string[], face: Face): Addresses {
  if (lease.protocol === 'tcp' || lease.protocol === 'udp') {
    const address = `${formatHost(face.host)}:${formatRange(lease.ports ?? [0, 0])}`
    return { public: address, urls: [address], awaited: false }
  }
  // An own domain is what people want to show.
  const ordered = [...hosts.slice(1), ...(lease.bare ? [face.domain] : []), ...hosts.slice(0, 1)]
  const urls =
    lease.protocol === 'tls'
      ? ordered.map((host) => `${host}:${face.https?.port ?? 443}`)
      : ordered.flatMap((host) => httpUrls(host, face)).map((url) => url + (lease.path ?? ''))
  if (lease.protocol === 'http' && face.portPerHttp && lease.ports !== undefined) {
    urls.unshift(`http://${formatHost(face.host)}:${lease.ports[0]}${lease.path ?? ''}`)
  }
  const [first = ''] = ordered
  const shown = urls[0] ?? ''
  return { public: shown, urls, awaited: shown.startsWith(`http://${first}`) && face.https?.awaited(first) === true }
}

/** Both schemes of a host, the better first. */
function httpUrls(host: string, { http, https }: Face): string[] {
  const plain = `http://${host}${http === 80 ? '' : `:${http}`}`
  if (https === undefined || !https.serves(host)) return [plain]
  const secure = `https://${host}${https.port === 443 ? '' : `:${https.port}`}`
  return https.trusted(host) ? [secure, plain] : [plain, secure]
}
