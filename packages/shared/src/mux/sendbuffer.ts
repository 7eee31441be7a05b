interface Chunk {
  readonly start: number
  readonly bytes: Uint8Array
  readonly release: (() => void) | undefined
  /** Bytes before it that are ours. */
  readonly headroom: number
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

  append(bytes: Uint8Array, release: (() => void) | undefined, headroom = 0): void {
    this.#chunks.push({ start: this.end, bytes, release, headroom })
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
      const isWhole = begin === 0 && chunk.bytes.length <= left
      const view = isWhole ? chunk.bytes : chunk.bytes.subarray(begin, begin + left)
      views.push(view)
      at += view.length
      left -= view.length
    }
    return views
  }

  /** How many bytes before `from` may be written to. */
  headroom(from: number): number {
    const chunk = this.#chunks[this.#find(from)]
    return chunk?.start === from ? chunk.headroom : 0
  }

  /** How many of `length` bytes from `from` go well into one frame: what has headroom begins one of its own, and fills it. */
  together(from: number, length: number): number {
    for (let index = this.#find(from); index < this.#chunks.length; index++) {
      const { start, bytes, headroom } = this.#chunks[index] as Chunk
      if (headroom > 0) return Math.min(length, start > from ? start - from : start + bytes.length - from)
      if (start + bytes.length >= from + length) return length
    }
    return length
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
