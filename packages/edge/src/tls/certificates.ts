import { createSecureContext, type SecureContext } from 'node:tls'
import type { KeyAndChain } from '../identity/authority.ts'
import { tunnelNamed } from '../route/route.ts'
import type { TunnelTable } from '../tunnel/tunnel.ts'

interface Made {
  readonly pair: KeyAndChain
  readonly context: SecureContext
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
  readonly #table: Pick<TunnelTable, 'byHost' | 'all'>
  readonly #issuer: Issuer
  readonly #domain: string
  readonly #bareHosts: readonly string[]
  readonly #made = new Map<string, Made>()

  /** `bareHosts`: what the edge is called without a tunnel's name, addresses included. */
  constructor({
    table,
    issuer,
    domain,
    bareHosts,
  }: { table: Pick<TunnelTable, 'byHost' | 'all'>; issuer: Issuer; domain: string; bareHosts: readonly string[] }) {
    this.#table = table
    this.#issuer = issuer
    this.#domain = domain
    this.#bareHosts = [...new Set([domain, ...bareHosts])].filter((host) => issuer.covers(host))
  }

  /** Whether visitors may open TLS for this name; none at all means the bare address. */
  knows(serverName: string | undefined): boolean {
    if (serverName === undefined || this.#bareHosts.includes(serverName)) return true
    return this.#issuer.covers(serverName) && tunnelNamed(this.#table, serverName) !== undefined
  }

  /** Undefined for a name that leads nowhere. Throws what issuing throws. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.knows(serverName) ? this.#get(serverName).context : undefined
  }

  /** For visitors who send no SNI; the same object until it is made anew. */
  bare(): KeyAndChain {
    return this.#get(this.#domain).pair
  }

  #get(serverName: string): Made {
    const bare = this.#bareHosts.includes(serverName)
    const name = bare ? this.#domain : serverName
    const now = performance.now()
    const known = this.#made.get(name)
    const made =
      known !== undefined && now - known.at < FRESH_MS ? known : this.#make(bare ? this.#bareHosts : [name], now)
    // Set anew, so that the map's order is that of use.
    this.#made.delete(name)
    const [oldest] = this.#made.keys()
    if (this.#made.size >= MOST && oldest !== undefined) this.#made.delete(oldest)
    this.#made.set(name, made)
    return made
  }

  #make(hosts: readonly string[], at: number): Made {
    const pair = this.#issuer.issue(hosts, new Date())
    return { pair, context: createSecureContext({ ...pair, minVersion: 'TLSv1.2', honorCipherOrder: true }), at }
  }
}
