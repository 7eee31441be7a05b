import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'

/** Between two looks, milliseconds. No portable system call tells of changes. */
const LOOK_MS = 1000
/** Wall clock and monotonic clock apart by more than this: the machine was suspended, or its clock was set. Milliseconds. */
const GAP_MS = 1000
/** A look this late: the process was stopped. Milliseconds. */
const LATE_MS = 2000

/** What a look finds; tests bring their own. */
export interface Sight {
  /** Addresses of this machine, loopback ones too. */
  addresses(): readonly string[]
  /** Where packets leave for everywhere else; empty where it can't be told. */
  defaultRoutes(): string
  wall(): number
  monotonic(): number
}

export const REAL_SIGHT: Sight = {
  addresses: () =>
    Object.values(networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .map(({ address }) => address)
      .toSorted(),
  defaultRoutes,
  wall: () => Date.now(),
  monotonic: () => performance.now(),
}

/** Notices that the machine's addresses, default routes or clock have changed: then no carrier can be taken for alive. */
export class NetworkWatch {
  readonly #sight: Sight
  readonly #changed: (present: ReadonlySet<string>) => void
  #timer: NodeJS.Timeout | undefined
  #seen: string
  #wall: number
  #monotonic: number

  constructor(changed: (present: ReadonlySet<string>) => void, sight: Sight = REAL_SIGHT) {
    this.#sight = sight
    this.#changed = changed
    this.#seen = this.#look().text
    this.#wall = sight.wall()
    this.#monotonic = sight.monotonic()
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  look(): void {
    const { addresses, text } = this.#look()
    const wall = this.#sight.wall()
    const monotonic = this.#sight.monotonic()
    const passed = monotonic - this.#monotonic
    const gap = Math.abs(wall - this.#wall - passed)
    const differs = text !== this.#seen || gap > GAP_MS || passed > LOOK_MS + LATE_MS
    this.#seen = text
    this.#wall = wall
    this.#monotonic = monotonic
    if (differs) this.#changed(new Set(addresses))
  }

  #look(): { addresses: readonly string[]; text: string } {
    const addresses = this.#sight.addresses()
    return { addresses, text: `${addresses.join(' ')}\n${this.#sight.defaultRoutes()}` }
  }
}

/** Interface and gateway of each default route, from Linux's tables. */
function defaultRoutes(): string {
  const v4 = linesOf('/proc/net/route').filter(
    ([, destination, , , , , , mask]) => destination === mask && mask === ZERO,
  )
  const v6 = linesOf('/proc/net/ipv6_route').filter(([, bits, , , , , , , , name]) => bits === '00' && name !== 'lo')
  return [...v4.map(([name, , gateway]) => `${name} ${gateway}`), ...v6.map((words) => `${words[9]} ${words[4]}`)]
    .toSorted()
    .join(', ')
}

const ZERO = '00000000'

function linesOf(path: string): string[][] {
  try {
    return readFileSync(path, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
  } catch {
    return []
  }
}
