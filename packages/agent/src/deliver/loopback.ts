import { createHmac } from 'node:crypto'
import { addressKey } from '@engawa/shared/address-key'
import type { Endpoint } from '@engawa/shared/wire/opening'

/** Visitors remembered at most, with and without open connections; past it whoever has been away longest goes. */
const MOST = 65_536
/** 127.0.0.0/12 is left to the machine: 127.0.0.1, 127.0.1.1, the resolver's 127.0.0.53. */
const LOWEST = 0x7f_10_00_00
const COUNT = 0x00_f0_00_00

/** Who stands behind an address of this machine, as `agent visitors` prints it; times in milliseconds. */
export interface SeatedVisitor {
  readonly address: string
  /** An IPv4 address or the /64 of an IPv6 one, as all limits count. */
  readonly visitor: string
  readonly open: number
  readonly total: number
  /** Since the last connection began. */
  readonly last_ms: number
}

/** A visitor's address on this machine while a connection or flow has it. `leave` is idempotent. */
export interface Seat {
  readonly address: string
  leave(): void
}

interface Row {
  readonly key: string
  readonly number: number
  open: number
  total: number
  lastAt: number
}

/**
 * Gives each visitor a source address of its own in 127.0.0.0/8, for services of this machine that know no other way to
 * tell visitors apart. The same visitor gets the same address again, also after a restart, as far as no other has it:
 * it is the hash of theirs under a secret, so that nobody can choose to be taken for another.
 */
export class Loopback {
  readonly #secret: Uint8Array
  readonly #most: number
  readonly #count: number
  /** By visitor; who came last is last. */
  readonly #rows: Map<string, Row> = new Map()
  readonly #taken: Set<number> = new Set()

  constructor(secret: Uint8Array, { most = MOST, count = COUNT }: { most?: number; count?: number } = {}) {
    this.#secret = secret
    this.#most = most
    this.#count = count
  }

  /** Undefined where it is not known who visits, or every seat is in use. */
  enter({ family, address }: Endpoint): Seat | undefined {
    if (family === 0) return undefined
    const key = addressKey(address)
    const row = this.#rows.get(key) ?? this.#add(key)
    if (row === undefined) return undefined
    this.#rows.delete(key)
    this.#rows.set(key, row)
    row.open++
    row.total++
    row.lastAt = performance.now()
    let left = false
    return {
      address: textOf(row.number),
      leave: () => {
        if (!left) row.open--
        left = true
      },
    }
  }

  /** The latest first. */
  list(): SeatedVisitor[] {
    const now = performance.now()
    return [...this.#rows.values()].toReversed().map(({ key, number, open, total, lastAt }) => ({
      address: textOf(number),
      visitor: key,
      open,
      total,
      last_ms: Math.round(now - lastAt),
    }))
  }

  #add(key: string): Row | undefined {
    if (this.#rows.size >= this.#most && !this.#forgetOne()) return undefined
    let number = createHmac('sha256', this.#secret).update(key).digest().readUInt32BE(0) % this.#count
    while (this.#taken.has(number) || isEnd(number)) number = (number + 1) % this.#count
    const row: Row = { key, number, open: 0, total: 0, lastAt: 0 }
    this.#taken.add(number)
    this.#rows.set(key, row)
    return row
  }

  #forgetOne(): boolean {
    for (const [key, { number, open }] of this.#rows) {
      if (open > 0) continue
      this.#rows.delete(key)
      this.#taken.delete(number)
      return true
    }
    return false
  }
}

/** Programs have ideas about .0 and .255. */
function isEnd(number: number): boolean {
  const last = number & 0xff
  return last === 0 || last === 0xff
}

function textOf(number: number): string {
  const whole = LOWEST + number
  return [24, 16, 8, 0].map((shift) => (whole >>> shift) & 0xff).join('.')
}

/** Whether a target's host is this machine by an IPv4 address in 127.0.0.0/8. */
export function isLoopback4(host: string): boolean {
  return host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
