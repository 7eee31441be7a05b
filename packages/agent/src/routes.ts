import { lookup as lookUpName } from 'node:dns/promises'
import { isIP } from 'node:net'
import { parseAddress } from '@engawa/shared/addresses'
import { EngawaError } from '@engawa/shared/errors'
import { Reach } from './deliver/reach.ts'

/** How long a name server may take while people wait, milliseconds; what it said last is used then. */
const LOOKUP_MS = 1500
/** How long a failure speaks against a route, milliseconds. */
const FAILED_MS = 30_000

/** Whoever has the edge's name in hand could lead it to where a cloud keeps its credentials. */
const REACH = new Reach()

/** One address of the edge's. */
export interface Route {
  /** As the edge gave it: for messages. */
  readonly address: string
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
}

/** Where a carrier leads. */
export interface Used {
  readonly address: string
  readonly port: number
  readonly family: number
}

export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/**
 * Which address to dial next. Families take turns, so that one carrier goes over IPv6 and one over IPv4 where both
 * work; what has failed lately comes last, so that a dead family costs one attempt.
 */
export class Routes {
  readonly #addresses: readonly string[]
  readonly #lookup: Lookup
  readonly #known: Map<string, readonly Route[]> = new Map()
  /** A name server that hangs is asked once, not once a dial. */
  readonly #asking: Map<string, Promise<void>> = new Map()
  readonly #failedAt: Map<string, number> = new Map()

  constructor(addresses: readonly string[], lookup: Lookup = (host) => lookUpName(host, { all: true })) {
    this.#addresses = addresses
    this.#lookup = lookup
  }

  /** `dialling`: routes under way; `standing`: carriers that answer. Throws EDGE_NOT_FOUND. */
  async next(dialling: readonly Route[], standing: readonly Used[], now: number): Promise<Route> {
    const found = await Promise.allSettled(this.#addresses.map((address) => this.#resolve(address)))
    const routes = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    const rankOf = (route: Route): number[] => [
      this.#failure(route, now),
      dialling.filter((other) => keyOf(other) === keyOf(route)).length,
      [...dialling, ...standing].filter(({ family }) => family === route.family).length,
      standing.filter(({ address, port }) => address === route.host && port === route.port).length,
    ]
    const ranked = routes.map((route) => ({ route, rank: rankOf(route) })).toSorted((a, b) => compare(a.rank, b.rank))
    const [best] = ranked
    if (best !== undefined) return best.route
    const failure = found.find((result) => result.status === 'rejected')
    throw new EngawaError('EDGE_NOT_FOUND', `no address for ${this.#addresses.join(', ')}`, { cause: failure?.reason })
  }

  failed(route: Route, now: number): void {
    this.#failedAt.set(keyOf(route), now)
  }

  stood(route: Route): void {
    this.#failedAt.delete(keyOf(route))
  }

  /** Whether an address is left that has not failed lately and is not being dialled. */
  hasUntried(dialling: readonly Route[], now: number): boolean {
    const underWay = new Set(dialling.map(keyOf))
    return [...this.#known.values()]
      .flat()
      .some((route) => this.#failure(route, now) === 0 && !underWay.has(keyOf(route)))
  }

  /** The machine has another network: what failed may work. */
  forgive(): void {
    this.#failedAt.clear()
  }

  /** 0, or when it failed last: the longest ago is tried first. */
  #failure(route: Route, now: number): number {
    const at = this.#failedAt.get(keyOf(route))
    return at === undefined || now - at > FAILED_MS ? 0 : at
  }

  async #resolve(address: string): Promise<readonly Route[]> {
    const { host, port } = parseAddress(address)
    const literal = isIP(host)
    if (literal !== 0) {
      const routes = [{ address, host, port, family: literal as 4 | 6 }]
      this.#known.set(address, routes)
      return routes
    }
    const asking = this.#asking.get(address) ?? this.#ask(address, host, port)
    this.#asking.set(address, asking)
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOKUP_MS)
    })
    try {
      await Promise.race([asking, patience])
    } catch (error) {
      if (!this.#known.has(address)) throw error
    } finally {
      clearTimeout(timer)
    }
    return this.#known.get(address) ?? []
  }

  async #ask(address: string, host: string, port: number): Promise<void> {
    try {
      const found = (await this.#lookup(host)).filter((each) => REACH.allows(each.address))
      const routes = found.map(
        (each): Route => ({ address, host: each.address, port, family: each.family === 6 ? 6 : 4 }),
      )
      this.#known.set(address, routes)
    } finally {
      this.#asking.delete(address)
    }
  }
}

function keyOf({ host, port }: Route): string {
  return `${host} ${port}`
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((rank, index) => rank !== b[index])
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
}
