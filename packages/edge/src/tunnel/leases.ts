import { isDeepStrictEqual } from 'node:util'
import type { Lease } from '../store/leases.ts'
import type { Store } from '../store/store.ts'

/** The name that those who share it are reached by. */
export function baseName(name: string): string {
  return name.replace(/\+\d+$/, '')
}

/** Who holds which name, host and port: the store's leases in memory. */
export class Leases {
  readonly #store: Store
  readonly #domain: string
  readonly #byName = new Map<string, Lease>()
  /** Who holds a host. Kept, since an agent may name a hundred of them in each bind. */
  readonly #byHost = new Map<string, Set<Lease>>()

  constructor(store: Store, domain: string) {
    this.#store = store
    this.#domain = domain
    this.reload()
  }

  /** As the store has them: another generation may have written. */
  reload(): void {
    this.#byName.clear()
    this.#byHost.clear()
    for (const lease of this.#store.leases.all()) this.#note(lease)
  }

  /** The one taken first comes first. */
  all(): readonly Lease[] {
    return [...this.#byName.values()]
  }

  get(name: string): Lease | undefined {
    return this.#byName.get(name)
  }

  of(agent: number): readonly Lease[] {
    return this.all().filter((lease) => lease.agent === agent)
  }

  /** Those that a host leads to. */
  holders(host: string): Iterable<Lease> {
    return this.#byHost.get(host) ?? []
  }

  /** Makes it so, on disk first; writes nothing where nothing changes, so that a full disk keeps no agent out. */
  keep(lease: Lease): void {
    const known = this.#byName.get(lease.name)
    if (isDeepStrictEqual(known, lease)) return
    this.#store.leases.put(lease, Date.now())
    if (known !== undefined) this.#leave(known)
    this.#note(lease)
  }

  release(name: string): void {
    this.#store.leases.remove(name)
    const lease = this.#byName.get(name)
    if (lease !== undefined) this.#forget(lease)
  }

  /** After the store has let go of all that an agent held. */
  forget(agent: number): void {
    for (const lease of this.of(agent)) this.#forget(lease)
  }

  #note(lease: Lease): void {
    this.#byName.set(lease.name, lease)
    for (const host of this.hostsOf(lease)) {
      const holders = this.#byHost.get(host) ?? new Set()
      this.#byHost.set(host, holders.add(lease))
    }
  }

  #forget(lease: Lease): void {
    this.#byName.delete(lease.name)
    this.#leave(lease)
  }

  /** Its hosts lead to it no more; its place among the leases stays. */
  #leave(lease: Lease): void {
    for (const host of this.hostsOf(lease)) {
      const holders = this.#byHost.get(host)
      holders?.delete(lease)
      if (holders?.size === 0) this.#byHost.delete(host)
    }
  }

  /** Every host that leads to a lease. */
  hostsOf({ name, hosts, protocol }: Lease): readonly string[] {
    return protocol === 'http' || protocol === 'tls' ? [`${baseName(name)}.${this.#domain}`, ...hosts] : []
  }
}
