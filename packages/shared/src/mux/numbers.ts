import { MAX_LOST_ENTRIES } from '../wire/limits.ts'

/** Which carrier numbers have been used. Each counts once, also when its dial failed. Spec: protocol.md [H6]. */
export class CarrierNumbers {
  #highest = 0
  readonly #used = new Set<number>()

  get highest(): number {
    return this.#highest
  }

  isUsed(number: number): boolean {
    return number <= this.#highest - MAX_LOST_ENTRIES || this.#used.has(number)
  }

  use(number: number): void {
    this.#used.add(number)
    if (number <= this.#highest) return
    this.#highest = number
    for (const old of this.#used) if (old <= this.#highest - MAX_LOST_ENTRIES) this.#used.delete(old)
  }
}
