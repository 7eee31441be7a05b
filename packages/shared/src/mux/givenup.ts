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
  /** A dial that failed: neither side has sent anything that matters on it. */
  readonly isDial: boolean
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
    if (this.#records.size <= MAX_LOST_ENTRIES) return false
    return [...this.#records.values()].filter((record) => !record.isDial).length > MAX_LOST_ENTRIES
  }

  has(number: number): boolean {
    return this.#records.has(number)
  }

  add(number: number, end: CarrierEnd | undefined, received: number, heard: boolean): void {
    this.#records.set(number, { number, isDial: end === undefined, end, received, heard, telling: undefined })
  }

  /** What is not known to be agreed, for the handshake of carrier `on`. After many failed dials the rest goes in LOST. */
  report(on: number): LostEntry[] {
    const records = [...this.#records.values()].toSorted((a, b) => Number(a.isDial) - Number(b.isDial))
    return records.slice(0, MAX_LOST_ENTRIES).map((record) => {
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
      // So far behind the edge refuses the number by itself, and has nothing to answer.
      const isPast = record.isDial && record.number <= on - MAX_LOST_ENTRIES
      if (record.heard || isPast) this.#records.delete(record.number)
      else record.telling = { on: 0, frame }
    }
  }

  /** Carrier `on` is gone: what it was to say must be said elsewhere. */
  carrierGone(on: number): void {
    for (const record of this.#records.values()) if (record.telling?.on === on) record.telling = undefined
  }

  /** Failed dials up to `number` are refused by their number alone: a peer that invents some fills no memory. */
  forgetDials(number: number): void {
    for (const record of this.#records.values()) {
      if (record.number <= number && record.isDial) this.#records.delete(record.number)
    }
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
