import { createSecureContext, type SecureContext } from 'node:tls'
import type { KeyAndChain } from '../identity/authority.ts'

/** What TLS keeps for a certificate takes some 40 KiB; to make it anew takes a third of a millisecond. */
const MOST = 256

/** TLS's own form of keys and chains, for the 256 that were shown last. */
export class Contexts {
  readonly #made = new Map<KeyAndChain, SecureContext>()

  /** The same object as long as it is kept. `pair` is known by its identity. Throws what OpenSSL says of it. */
  of(pair: KeyAndChain): SecureContext {
    const { key, cert } = pair
    const context =
      this.#made.get(pair) ?? createSecureContext({ key, cert, minVersion: 'TLSv1.2', honorCipherOrder: true })
    // Set anew, so that the map's order is that of use.
    this.#made.delete(pair)
    const [oldest] = this.#made.keys()
    if (this.#made.size >= MOST && oldest !== undefined) this.#made.delete(oldest)
    this.#made.set(pair, context)
    return context
  }
}
