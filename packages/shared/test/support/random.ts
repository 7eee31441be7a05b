import { LONG } from './patience.ts'

/** Seeded numbers, so that every failure can be replayed: `ENGAWA_SEED=… npm test FILE`. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** 0 … 2^32−1 (mulberry32: each call is a bijection of a counter, so neighbouring seeds do not resemble each other). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** 0 … most−1. */
  below(most: number): number {
    return this.next() % most
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let index = 0; index < length; index++) bytes[index] = this.next()
    return bytes
  }
}

/** The short form is the same each time: what a change has broken shows in its own run, not in one of the next. */
const SHORT_SEED = 20_261_122

/** The seed of this run: the given one, or in the long form another each time. */
export function seedOfRun(): number {
  const given = process.env['ENGAWA_SEED']
  if (given !== undefined && given !== '') return Number(given) >>> 0
  return LONG ? (Date.now() % 1_000_000_000) >>> 0 : SHORT_SEED
}

export const isReplay: boolean = (process.env['ENGAWA_SEED'] ?? '') !== ''
