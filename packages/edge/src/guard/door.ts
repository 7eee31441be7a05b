import { BlockList, isIPv6 } from 'node:net'
import type { Code } from '@engawa/shared/errors'
import type { Millis } from '@engawa/shared/mux/events'
import { endpoint } from '@engawa/shared/wire/opening'
import { addressKey } from './address.ts'
import { TokenBuckets } from './bucket.ts'
import type { VisitorLimits } from './limits.ts'
import type { Memory } from './memory.ts'

type Refusal = Extract<Code, 'TOO_MANY' | 'EDGE_BUSY'>

/** One visitor's connection inside. `leave` is idempotent. */
export interface Pass {
  leave(): void
}

/** Counts visitors' connections, on HTTP, TLS and TCP ports alike: one door for the whole edge. */
export class Door {
  readonly #limits: Pick<VisitorLimits, 'connections' | 'perAddress'>
  readonly #trusted: BlockList
  readonly #buckets: TokenBuckets
  readonly #now: () => Millis
  readonly #memory: Pick<Memory, 'pressure'> | undefined
  /** Connections by address key; a key is there only while it has one. */
  readonly #inside = new Map<string, number>()
  #total = 0

  constructor(
    limits: Pick<VisitorLimits, 'connections' | 'perAddress'>,
    trusted: BlockList = new BlockList(),
    now: () => Millis = () => performance.now(),
    memory?: Pick<Memory, 'pressure'>,
  ) {
    this.#memory = memory
    this.#limits = limits
    this.#trusted = trusted
    this.#now = now
    const { newPerSecond, burst } = limits.perAddress
    this.#buckets = new TokenBuckets({ perSecond: newPerSecond, burst })
  }

  get total(): number {
    return this.#total
  }

  /** A pass, or why there is none. A trusted proxy speaks for many: only the sum counts for it. */
  enter(address: string | undefined): Pass | Refusal {
    if (this.#total >= this.#limits.connections || this.#memory?.pressure === 'full') return 'EDGE_BUSY'
    const key = isTrusted(this.#trusted, address) ? undefined : addressKey(address)
    if (key !== undefined) {
      const { connections } = this.#limits.perAddress
      if ((this.#inside.get(key) ?? 0) >= connections || !this.#buckets.take(key, this.#now())) return 'TOO_MANY'
      this.#inside.set(key, (this.#inside.get(key) ?? 0) + 1)
    }
    this.#total++
    let left = false
    return {
      leave: () => {
        if (left) return
        left = true
        this.#leave(key)
      },
    }
  }

  #leave(key: string | undefined): void {
    this.#total--
    if (key === undefined) return
    const rest = (this.#inside.get(key) ?? 1) - 1
    if (rest === 0) this.#inside.delete(key)
    else this.#inside.set(key, rest)
  }
}

/** The addresses and CIDRs of `trusted_proxies`. They have been checked with the file. */
export function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    const family = isIPv6(network) ? 'ipv6' : 'ipv4'
    list.addSubnet(network, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return list
}

export function isTrusted(list: BlockList, address: string | undefined): boolean {
  const { family, address: text } = endpoint(address, 0)
  return family !== 0 && list.check(text, family === 6 ? 'ipv6' : 'ipv4')
}
