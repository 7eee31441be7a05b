import { MAX_LOST_ENTRIES } from '../wire/limits.ts'
import type { CarrierEnd } from './carrier.ts'
import type { LostEntry } from './events.ts'

/** `frame`: which LOST it is, 0 for a handshake. An earlier LOST that arrives says nothing of a later one. */
interface Telling {
  readonly on: number
  readonly frame: number
}

interface Record {
  readonly number: number
  /** What we had sent on it waits here for the peer's count; undefined once it is known, or if there was nothing. */
  end: CarrierEnd | undefined
  /** Ledgered bytes that we received on it. */
  readonly received: number
  /** The peer's count has come. */
  heard: boolean
  /** The carrier that takes our count to the peer, and how; undefined while it has yet to be said. */
  telling: Telling | undefined
}

/**
 * The carriers that one side has given up and the other may not know of. A record goes when both have said their counts.
 *
 * Giving up must be agreed: a peer that still sends on a dead carrier must learn from where to repeat. Spec: protocol.md [R3].
 */
export class GivenUp {
  readonly #records = new Map<number, Record>()
  /** The LOST that was made last; each has a number of its own. */
  lastFrame = 0

  get overflowing(): boolean {
    return this.#records.size > MAX_LOST_ENTRIES
  }

  has(number: number): boolean {
    return this.#records.has(number)
  }

  add(number: number, end: CarrierEnd | undefined, received: number, heard: boolean): void {
    this.#records.set(number, { number, end, received, heard, telling: undefined })
  }

  /** Everything not known to be agreed, for the handshake of carrier `on`. */
  report(on: number): LostEntry[] {
    return [...this.#records.values()].map((record) => {
      record.telling = { on, frame: 0 }
      return [record.number, record.received]
    })
  }

  /** What is still to be said, for a LOST frame on carrier `on`; `lastFrame` is its number then. */
  takeUntold(on: number): LostEntry[] {
    const entries: LostEntry[] = []
    for (const record of this.#records.values()) {
      if (record.telling !== undefined || entries.length === MAX_LOST_ENTRIES) continue
      if (entries.length === 0) this.lastFrame++
      record.telling = { on, frame: this.lastFrame }
      entries.push([record.number, record.received])
    }
    return entries
  }

  get untold(): boolean {
    for (const record of this.#records.values()) if (record.telling === undefined) return true
    return false
  }

  /** What carrier `on` was to say in that LOST, or in its handshake (0), has arrived. */
  told(on: number, frame: number): void {
    for (const record of this.#records.values()) {
      if (record.telling?.on !== on || record.telling.frame !== frame) continue
      if (record.heard) this.#records.delete(record.number)
      else record.telling = { on: 0, frame }
    }
  }

  /** Carrier `on` is gone: what it was to say must be said elsewhere. */
  carrierGone(on: number): void {
    for (const record of this.#records.values()) if (record.telling?.on === on) record.telling = undefined
  }

  /** The peer has said its count for `number`. Answers the end whose ledger is to be trimmed and sent again. */
  heard(number: number): CarrierEnd | undefined {
    const record = this.#records.get(number)
    if (record === undefined || record.heard) return undefined
    record.heard = true
    const { end } = record
    record.end = undefined
    if (record.telling?.on === 0) this.#records.delete(number)
    return end
  }
}
