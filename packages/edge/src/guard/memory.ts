import { totalmem } from 'node:os'
import type { Millis } from '@engawa/shared/mux/events'
import type { EdgeLimits } from '../limits.ts'

/** `busy`: requests are answered 503; `full`: connections are refused, too. */
export type Pressure = 'none' | 'busy' | 'full'

/** How long a reading is good for. */
const FRESH_MS = 500

/** How much of the memory that it may use this process holds. Asked on the way of each visitor; it has no timer. */
export class Memory {
  readonly #limits: Pick<EdgeLimits, 'memoryBusyPercent' | 'memoryFullPercent'>
  readonly #share: () => number
  readonly #now: () => Millis
  #readAt = Number.NEGATIVE_INFINITY
  #pressure: Pressure = 'none'

  constructor(
    limits: Pick<EdgeLimits, 'memoryBusyPercent' | 'memoryFullPercent'>,
    share: () => number = ownShare,
    now: () => Millis = () => performance.now(),
  ) {
    this.#limits = limits
    this.#share = share
    this.#now = now
  }

  get pressure(): Pressure {
    const now = this.#now()
    if (now - this.#readAt < FRESH_MS) return this.#pressure
    this.#readAt = now
    const percent = this.#share() * 100
    const { memoryBusyPercent, memoryFullPercent } = this.#limits
    this.#pressure = percent >= memoryFullPercent ? 'full' : percent >= memoryBusyPercent ? 'busy' : 'none'
    return this.#pressure
  }
}

/** Resident memory by that of the machine, or of the container where that is less. */
function ownShare(): number {
  const constrained = process.constrainedMemory()
  const total = totalmem()
  // Without a container the figure is 0, or larger than any memory.
  return process.memoryUsage.rss() / (constrained > 0 && constrained < total ? constrained : total)
}
