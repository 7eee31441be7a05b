import { createSecureContext, type SecureContext } from 'node:tls'
import type { TunnelTable } from '../tunnel/tunnel.ts'

/** PEM of a certificate with its chain, and its key. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

interface Made {
  readonly pair: KeyPair
  readonly context: SecureContext
  readonly at: number
}

/** Makes a certificate for names and IP addresses; the visitors' CA does. */
export type Issue = (hosts: readonly string[]) => KeyPair

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
  readonly #table: Pick<TunnelTable, 'byHost'>
  readonly #issue: Issue
  readonly #domain: string
  readonly #bareHosts: readonly string[]
  readonly #made = new Map<string, Made>()

  /** `bareHosts`: what the edge is called without a tunnel's name, addresses included. */
  constructor({ table, issue, domain, bareHosts }: { table: Pick<TunnelTable, 'byHost'>; issue: Issue; domain: string; bareHosts: readonly string[] }) {
    this.#table = table
    this.#issue = issue
    this.#domain = domain
    this.#bareHosts = [...new Set([domain, ...bareHosts])]
  }

  /** Whether visitors may open TLS for this name; none at all means the bare address. */
  knows(serverName: string | undefined): boolean {
    if (serverName === undefined || this.#bareHosts.includes(serverName)) return true
    return this.#table.byHost(serverName, '/') !== undefined
  }

  /** Undefined for a name that leads nowhere. Throws what issuing throws. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.knows(serverName) ? this.#get(serverName).context : undefined
  }

  /** For visitors who send no SNI; the same object until it is made anew. */
  bare(): KeyPair {
    return this.#get(this.#domain).pair
  }

  #get(serverName: string): Made {
    const bare = this.#bareHosts.includes(serverName)
    const name = bare ? this.#domain : serverName
    const now = performance.now()
    const known = this.#made.get(name)
    const made = known !== undefined && now - known.at < FRESH_MS ? known : this.#make(bare ? this.#bareHosts : [name], now)
    // Set anew, so that the map's order is that of use.
    this.#made.delete(name)
    const [oldest] = this.#made.keys()
    if (this.#made.size >= MOST && oldest !== undefined) this.#made.delete(oldest)
    this.#made.set(name, made)
    return made
  }

  #make(hosts: readonly string[], at: number): Made {
    const pair = this.#issue(hosts)
    return { pair, context: createSecureContext({ ...pair, minVersion: 'TLSv1.2', honorCipherOrder: true }), at }
  }
}
