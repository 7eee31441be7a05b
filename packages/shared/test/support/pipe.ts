/** What several carriers may share: it is busy until all that was sent has gone. */
export class Line {
  freeAt = 0
}

/** One direction of a carrier in virtual time: bytes in order, late by `delayMs`, cut anywhere. */
export class Pipe {
  readonly delayMs: number
  /** Bytes a millisecond; undefined: no limit. */
  readonly rate: number | undefined
  /** Nothing is delivered before this; Infinity: dropped silently. */
  stalledUntil = 0
  /** The receiving end hears that the socket is gone at this time, after the last byte. */
  closesAt: number = Number.POSITIVE_INFINITY
  #queue: { at: number; bytes: Uint8Array }[] = []
  #head = 0
  readonly #line: Line
  #isOpen = true

  constructor(delayMs: number, rate?: number, line: Line = new Line()) {
    this.delayMs = delayMs
    this.rate = rate
    this.#line = line
  }

  get isEmpty(): boolean {
    return this.#head === this.#queue.length
  }

  push(bytes: Uint8Array, now: number): void {
    if (!this.#isOpen || bytes.length === 0) return
    const line = this.#line
    line.freeAt = Math.max(line.freeAt, now) + (this.rate === undefined ? 0 : bytes.length / this.rate)
    // As a kernel does: what was sent may be written to afterwards, where it has headroom.
    this.#queue.push({ at: line.freeAt + this.delayMs, bytes: new Uint8Array(bytes) })
  }

  /** When there is next something to deliver. */
  get nextAt(): number {
    const head = this.#queue[this.#head]
    return head === undefined ? Number.POSITIVE_INFINITY : Math.max(head.at, this.stalledUntil)
  }

  /** At most `most` bytes of what is due; undefined when nothing is. */
  take(now: number, most: number): Uint8Array | undefined {
    const head = this.#queue[this.#head]
    if (head === undefined || head.at > now || this.stalledUntil > now) return undefined
    if (head.bytes.length > most) {
      const bytes = head.bytes.subarray(0, most)
      head.bytes = head.bytes.subarray(most)
      return bytes
    }
    this.#queue[this.#head++] = undefined as never
    if (this.#head === this.#queue.length) {
      this.#queue = []
      this.#head = 0
    }
    return head.bytes
  }

  get pendingBytes(): number {
    let sum = 0
    for (let index = this.#head; index < this.#queue.length; index++) sum += this.#queue[index]?.bytes.length ?? 0
    return sum
  }

  /** Only the first `keep` of the bytes under way arrive, and none that is sent later. */
  cut(keep: number): void {
    this.#isOpen = false
    let left = keep
    const kept: { at: number; bytes: Uint8Array }[] = []
    for (let index = this.#head; index < this.#queue.length && left > 0; index++) {
      const entry = this.#queue[index]
      if (entry === undefined) break
      const bytes = entry.bytes.subarray(0, left)
      left -= bytes.length
      kept.push({ at: entry.at, bytes })
    }
    this.#queue = kept
    this.#head = 0
  }
}
