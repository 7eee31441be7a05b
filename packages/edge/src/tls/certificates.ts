import type { SecureContext } from 'node:tls'
import { wildcardOf } from '@engawa/shared/names'
import type { KeyAndChain } from '../identity/authority.ts'
import { tunnelNamed } from '../route/route.ts'
import type { TunnelTable } from '../tunnel/tunnel.ts'
import { Contexts } from './contexts.ts'
import type { PublicCertificates } from './publics.ts'

interface Made {
  readonly pair: KeyAndChain
  readonly at: number
}

/** Who signs; the visitors' CA does. */
export interface Issuer {
  covers(host: string): boolean
  issue(hosts: readonly string[], now: Date): KeyAndChain
}

/** Names with a certificate at the same time; the one used longest ago goes. */
const MOST = 1024
/** A certificate is made anew after this long, well within its life. */
const FRESH_MS = 24 * 60 * 60 * 1000

/**
 * Certificates for visitors, by SNI.
 *
 * Only for names that lead somewhere: who connects with invented names makes the edge sign nothing.
 */
export class Certificates {
  readonly #table: Pick<TunnelTable, 'named'>
  readonly #issuer: Issuer
  readonly #domain: string
  readonly #bareHosts: readonly string[]
  readonly #publics: PublicCertificates | undefined
  readonly #made = new Map<string, Made>()
  readonly #contexts = new Contexts()

  /** `bareHosts`: what the edge is called without a tunnel's name, addresses included. */
  constructor({
    table,
    issuer,
    domain,
    bareHosts,
    publics,
  }: {
    table: Pick<TunnelTable, 'named'>
    issuer: Issuer
    domain: string
    bareHosts: readonly string[]
    publics?: PublicCertificates
  }) {
    this.#publics = publics
    this.#table = table
    this.#issuer = issuer
    this.#domain = domain
    this.#bareHosts = [...new Set([domain, ...bareHosts])].filter((host) => issuer.covers(host))
  }

  /** Whether visitors may open TLS for this name; none at all means the bare address. */
  knows(serverName: string | undefined): boolean {
    if (serverName === undefined || this.#bareHosts.includes(serverName)) return true
    if (!this.#issuer.covers(serverName) && this.#publics?.find(serverName) === undefined) return false
    return tunnelNamed(this.#table, serverName) !== undefined
  }

  /** Undefined for a name that leads nowhere. Throws what issuing throws. */
  contextFor(serverName: string): SecureContext | undefined {
    if (!this.knows(serverName)) return undefined
    return this.#contexts.of(this.#publics?.find(serverName) ?? this.#get(serverName).pair)
  }

  /** For visitors who send no SNI; the same object until it is made anew. */
  bare(): KeyAndChain {
    return this.#publics?.find(this.#domain) ?? this.#get(this.#domain).pair
  }

  /** Whether the certificate shown for `serverName` is good for `host`, too: then one connection may ask for both. */
  covers(serverName: string, host: string): boolean {
    const pair = this.#publics?.find(serverName)
    if (pair !== this.#publics?.find(host)) return false
    const name = this.#nameFor(serverName)
    return pair !== undefined || (name.startsWith('*.') && name === this.#nameFor(host))
  }

  /** What the certificate made for it says: all that only a wildcard stands for share one, or every invented name would cost a key. */
  #nameFor(serverName: string): string {
    if (this.#bareHosts.includes(serverName)) return this.#domain
    const own = this.#table.named(serverName).some(({ hosts }) => hosts.includes(serverName))
    return own ? serverName : wildcardOf(serverName)
  }

  #get(serverName: string): Made {
    const name = this.#nameFor(serverName)
    const now = performance.now()
    const known = this.#made.get(name)
    const made =
      known !== undefined && now - known.at < FRESH_MS
        ? known
        : this.#make(name === this.#domain ? this.#bareHosts : [name], now)
    // Set anew, so that the map's order is that of use.
    this.#made.delete(name)
    const [oldest] = this.#made.keys()
    if (this.#made.size >= MOST && oldest !== undefined) this.#made.delete(oldest)
    this.#made.set(name, made)
    return made
  }

  #make(hosts: readonly string[], at: number): Made {
    return { pair: this.#issuer.issue(hosts, new Date()), at }
  }
}
