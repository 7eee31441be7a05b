interface Chunk {
  readonly start: number
  readonly bytes: Uint8Array
  readonly release: (() => void) | undefined
}

/**
 * What a stream has been given to send and the peer has not acknowledged. It keeps references, never copies.
 *
 * The ledger holds offsets into it, so that a lost carrier costs no memory of its own. Spec: protocol.md §6.
 */
export class SendBuffer {
  #chunks: Chunk[] = []
  /** Index of the first chunk still kept. */
  #first = 0
  /** Offset of the first byte not acknowledged. */
  base = 0
  /** Offset after the last byte written. */
  end = 0

  append(bytes: Uint8Array, release: (() => void) | undefined): void {
    this.#chunks.push({ start: this.end, bytes, release })
    this.end += bytes.length
  }

  /** Views of `length` bytes from `from`, which must lie between `base` and `end`. */
  slice(from: number, length: number): Uint8Array[] {
    const views: Uint8Array[] = []
    let index = this.#find(from)
    let at = from
    let left = length
    while (left > 0) {
      const chunk = this.#chunks[index++] as Chunk
      const begin = at - chunk.start
      const view = chunk.bytes.subarray(begin, begin + left)
      views.push(view)
      at += view.length
      left -= view.length
    }
    return views
  }

  /** Forgets what lies below `to`. */
  trim(to: number): void {
    if (to <= this.base) return
    this.base = to
    while (this.#first < this.#chunks.length) {
      const chunk = this.#chunks[this.#first] as Chunk
      if (chunk.start + chunk.bytes.length > to) break
      this.#chunks[this.#first++] = undefined as never
      chunk.release?.()
    }
    if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#first)
      this.#first = 0
    }
  }

  /**
   * Forgets everything. Only what lies wholly above `reached` is released: a carrier may still hold views of the rest,
   * and a buffer that is filled anew would put another stream's bytes on the wire.
   */
  drop(reached: number): void {
    for (const chunk of this.#chunks.slice(this.#first)) if (chunk.start >= reached) chunk.release?.()
    this.#chunks = []
    this.#first = 0
    this.base = this.end
  }

  #find(offset: number): number {
    let low = this.#first
    let high = this.#chunks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#chunks[middle] as Chunk).start <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}
