import { EngawaError } from '../errors.ts'
import { DATA } from '../wire/frame.ts'
import { Queue } from './queue.ts'

/** One frame that was sent and not acknowledged. `from` and `to` are offsets of its stream, for DATA alone. */
export interface Entry<Owner> {
  readonly type: number
  readonly owner: Owner
  from: number
  readonly to: number
  /** Ledgered bytes of the carrier up to the end of this frame. */
  readonly end: number
}

/**
 * What one carrier has taken and the peer has not acknowledged: references, never bytes.
 *
 * Source: protocol.md §6.
 */
export class Ledger<Owner> {
  /** Bytes of ledgered frames sent and acknowledged, headers included. */
  sent = 0
  acked = 0
  /** Frames other than DATA among them: the cap on bytes in flight does not bound these. */
  signals = 0
  readonly #entries = new Queue<Entry<Owner>>()

  get inFlight(): number {
    return this.sent - this.acked
  }

  add(type: number, owner: Owner, bytes: number, from = 0, to = 0): void {
    this.sent += bytes
    if (type !== DATA) this.signals++
    this.#entries.push({ type, owner, from, to, end: this.sent })
  }

  /**
   * The peer has `count` bytes. `whole` is called for each frame that is covered, `part` for DATA of which it has a
   * beginning. A count below the known one changes nothing; above what was sent: PROTOCOL_VIOLATION.
   */
  acknowledge(count: number, whole: (entry: Entry<Owner>) => void, part: (entry: Entry<Owner>) => void): void {
    if (count > this.sent) throw new EngawaError('PROTOCOL_VIOLATION', 'an acknowledgement of bytes never sent')
    if (count <= this.acked) return
    this.acked = count
    let entry = this.#entries.peek()
    while (entry !== undefined && entry.end <= count) {
      this.#entries.shift()
      if (entry.type !== DATA) this.signals--
      whole(entry)
      entry = this.#entries.peek()
    }
    if (entry?.type !== DATA) return
    const missing = entry.end - count
    const payload = entry.to - entry.from
    if (missing >= payload) return
    entry.from = entry.to - missing
    part(entry)
  }

  /** What was never acknowledged, in order of sending; empty afterwards. */
  drain(): Entry<Owner>[] {
    return this.#entries.drain()
  }
}
