import { parseAddress } from '@engawa/shared/addresses'
import { checkPublic, settingsOf } from './check.ts'
import type { CheckResult } from './events.ts'
import type { Published } from './tunnels.ts'

/** When a failed check is made again, milliseconds after the last: a new DNS record or an opened port is noticed by itself. */
const AGAIN_MS = [5000, 15_000, 60_000]
/** The edge may give a tunnel another address as often as it likes; that must not make a flood of checks, milliseconds. */
const CHANGED_MS = 1000

/** Checks public addresses after `bound` and tells their owners of each change. Nothing waits for it. */
export class Checks {
  readonly #edge: () => string | undefined
  readonly #timers: Map<Published, NodeJS.Timeout> = new Map()
  readonly #last: WeakMap<Published, CheckResult> = new WeakMap()
  readonly #busy: WeakSet<Published> = new WeakSet()
  #closed = false

  /** `edge` gives the edge's address as the carrier sees it, `HOST:PORT`. */
  constructor(edge: () => string | undefined) {
    this.#edge = edge
  }

  /** Begins anew for a tunnel. */
  look(published: Published): void {
    void this.#look(published, 0)
  }

  forget(published: Published): void {
    clearTimeout(this.#timers.get(published))
    this.#timers.delete(published)
  }

  close(): void {
    this.#closed = true
    for (const published of this.#timers.keys()) this.forget(published)
  }

  async #look(published: Published, round: number): Promise<void> {
    this.forget(published)
    const edge = this.#edge()
    const { bound, owner, name } = published
    // Who is busy looks again when the address has changed meanwhile.
    if (bound === undefined || edge === undefined || this.#busy.has(published)) return
    this.#busy.add(published)
    const result = await checkPublic(bound, { ...settingsOf(published.wish), edgeAddress: parseAddress(edge).host })
    this.#busy.delete(published)
    if (this.#closed) return
    if (published.bound !== bound) return this.#lookLater(published, 0, CHANGED_MS)
    const before = this.#last.get(published)
    this.#last.set(published, result)
    if (before?.ok !== result.ok || before.failed !== result.failed) {
      owner.tell({ event: 'check', name, public: bound.public, ...result })
    }
    if (result.ok) return
    this.#lookLater(published, round + 1, AGAIN_MS[Math.min(round, AGAIN_MS.length - 1)])
  }

  #lookLater(published: Published, round: number, delayMs: number | undefined): void {
    this.#timers.set(published, setTimeout(() => void this.#look(published, round), delayMs).unref())
  }
}
