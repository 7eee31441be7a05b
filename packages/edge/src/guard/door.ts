import { BlockList, isIPv6 } from 'node:net'
import { addressKey } from '@engawa/shared/address-key'
import type { Code } from '@engawa/shared/errors'
import type { Millis } from '@engawa/shared/mux/events'
import { endpoint } from '@engawa/shared/wire/opening'
import { TokenBuckets } from './bucket.ts'
import { newcomers, type VisitorLimits } from './limits.ts'
import type { Memory } from './memory.ts'

type Refusal = Extract<Code, 'TOO_MANY' | 'EDGE_BUSY'>

/** One visitor's connection inside. `leave` is idempotent. */
export interface Pass {
  leave(): void
}

/** Counts visitors' connections, on HTTP, TLS and TCP ports alike: one door for the whole edge. */
export class Door {
  readonly #limits: Pick<VisitorLimits, 'connections' | 'perAddress' | 'http2RequestsPerAddress'>
  readonly #trusted: () => BlockList
  readonly #buckets: TokenBuckets
  readonly #now: () => Millis
  readonly #memory: Pick<Memory, 'pressure'> | undefined
  /** Connections by address key; a key is there only while it has one. */
  readonly #inside = new Map<string, number>()
  /** As `#inside`, requests over HTTP/2. */
  readonly #requests = new Map<string, number>()
  #total = 0

  constructor(
    limits: Pick<VisitorLimits, 'connections' | 'perAddress' | 'http2RequestsPerAddress'>,
    trusted: BlockList | (() => BlockList) = new BlockList(),
    now: () => Millis = () => performance.now(),
    memory?: Pick<Memory, 'pressure'>,
  ) {
    this.#memory = memory
    this.#limits = limits
    this.#trusted = typeof trusted === 'function' ? trusted : () => trusted
    this.#now = now
    this.#buckets = new TokenBuckets(newcomers(limits))
  }

  get total(): number {
    return this.#total
  }

  /** A pass, or why there is none. A trusted proxy speaks for many: only the sum counts for it. */
  enter(address: string | undefined): Pass | Refusal {
    if (this.#total >= this.#limits.connections || this.#memory?.pressure === 'full') return 'EDGE_BUSY'
    const counted = isTrusted(this.#trusted(), address) ? undefined : this.#count(address)
    if (counted === 'TOO_MANY') return counted
    this.#total++
    return once(() => {
      this.#total--
      counted?.leave()
    })
  }

  /** For one whom a trusted proxy speaks for, whose own connection has a pass already. */
  behind(address: string): Pass | Refusal {
    return this.#count(address)
  }

  /** For one request of theirs: how many there are at once is counted, not how many a second, as on a connection of their own. */
  request(address: string): Pass | Refusal {
    return this.#count(address, { fresh: false })
  }

  /** For one request over HTTP/2, of which a connection carries many at once. */
  http2Request(address: string | undefined): Pass | 'TOO_MANY' {
    if (isTrusted(this.#trusted(), address)) return FREE
    return count(this.#requests, addressKey(address), this.#limits.http2RequestsPerAddress) ?? 'TOO_MANY'
  }

  #count(address: string | undefined, { fresh }: { fresh: boolean } = { fresh: true }): Pass | 'TOO_MANY' {
    const key = addressKey(address)
    const pass = count(this.#inside, key, this.#limits.perAddress.connections)
    if (pass === undefined) return 'TOO_MANY'
    if (!fresh || this.#buckets.take(key, this.#now())) return pass
    pass.leave()
    return 'TOO_MANY'
  }
}

/** Of one whom nobody counts. */
const FREE: Pass = { leave: () => {} }

/** One more of `key`; undefined where it has `most` already. */
function count(inside: Map<string, number>, key: string, most: number): Pass | undefined {
  const before = inside.get(key) ?? 0
  if (before >= most) return undefined
  inside.set(key, before + 1)
  return once(() => {
    const rest = (inside.get(key) ?? 1) - 1
    if (rest === 0) inside.delete(key)
    else inside.set(key, rest)
  })
}

function once(leave: () => void): Pass {
  let left = false
  return {
    leave: () => {
      if (left) return
      left = true
      leave()
    },
  }
}

/** Lists with nobody on them: most edges stand alone, and are asked several times a request. */
const EMPTY = new WeakSet<BlockList>()

/** The addresses and CIDRs of `trusted_proxies`. They have been checked with the file. */
export function blockListOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  if (cidrs.length === 0) EMPTY.add(list)
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    const family = isIPv6(network) ? 'ipv6' : 'ipv4'
    list.addSubnet(network, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return list
}

export function isTrusted(list: BlockList, address: string | undefined): boolean {
  if (EMPTY.has(list)) return false
  const { family, address: text } = endpoint(address, 0)
  return family !== 0 && list.check(text, family === 6 ? 'ipv6' : 'ipv4')
}
