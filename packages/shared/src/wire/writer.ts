import {
  ACCEPT,
  ACK,
  CREDIT,
  DATA,
  DATA_HEAD_BYTES,
  DATAGRAM,
  END,
  FLAG_OPENING,
  GOAWAY,
  LOST,
  OPEN,
  PING,
  PONG,
  RESET,
} from './frame.ts'
import { CARRIER_HEADROOM, HEADER_BYTES, MAX_REASON_BYTES } from './limits.ts'

/** Payloads up to this are copied beside their header: one contiguous buffer costs less than two entries of a writev. */
const COPY_BYTES = 4096
/** Headers and small payloads are cut from slabs of this size. */
const SLAB_BYTES = 64 * 1024

export interface Frames {
  readonly buffers: readonly Uint8Array[]
  /** So many bytes before the first buffer may be written to. */
  readonly headroom: number
  /** Of all buffers together. */
  readonly bytes: number
}

/** Puts frames together into as few buffers as it can. Source: protocol.md §3. */
export class FrameWriter {
  #slab = new Uint8Array(SLAB_BYTES)
  /** What of the slab is not yet in `#buffers`. Room for a header of the carrier's is left before the first. */
  #from = CARRIER_HEADROOM
  #at = CARRIER_HEADROOM
  #buffers: Uint8Array[] = []
  /** Bytes since the last `take`. */
  size = 0

  /** All frames since the last call. Large payloads are views of what was handed in. */
  take(): Frames {
    this.#cut()
    const headroom = this.#buffers.length > 0 ? CARRIER_HEADROOM : 0
    const frames = { buffers: this.#buffers, headroom, bytes: this.size }
    if (this.size > 0) this.#reserve()
    this.#buffers = []
    this.size = 0
    return frames
  }

  /** Nobody holds anything that was taken any more: its memory is written again. Not between a frame and its `take`. */
  reuse(): void {
    this.#at = 0
    this.#reserve()
  }

  open(stream: number, credit: number, opening: Uint8Array): number {
    const length = 8 + opening.length
    const at = this.#head(OPEN, length, stream)
    this.#count(at, credit)
    this.#slab.set(opening, at + 8)
    return HEADER_BYTES + length
  }

  accept(stream: number): number {
    this.#head(ACCEPT, 0, stream)
    return HEADER_BYTES
  }

  /**
   * `length` payload bytes in `chunks`, from `offset` of the stream. Of a single chunk `headroom` bytes before it may be
   * written to: then the frame is one piece with what small frames came before it.
   */
  data(stream: number, offset: number, length: number, chunks: readonly Uint8Array[], headroom = 0): number {
    const small = length <= COPY_BYTES
    const room = small ? 8 + length : 8
    let at = this.#head(DATA, 8 + length, stream, room)
    this.#count(at, offset)
    at += 8
    const [first] = chunks
    if (!small && first !== undefined && this.#at - this.#from <= headroom - CARRIER_HEADROOM) {
      this.#inFront(first)
      this.size += length
      return DATA_HEAD_BYTES + length
    }
    for (const chunk of chunks) {
      if (small) {
        this.#slab.set(chunk, at)
        at += chunk.length
      } else {
        this.#cut()
        this.#buffers.push(chunk)
      }
    }
    if (!small) this.size += length
    return DATA_HEAD_BYTES + length
  }

  end(stream: number, final: number): number {
    return this.#counted(END, stream, final)
  }

  reset(stream: number, code: number): number {
    const at = this.#head(RESET, 4, stream)
    this.#u32(at, code)
    return HEADER_BYTES + 4
  }

  credit(stream: number, limit: number): number {
    return this.#counted(CREDIT, stream, limit)
  }

  ack(received: number): number {
    return this.#counted(ACK, 0, received)
  }

  ping(token: number): number {
    return this.#counted(PING, 0, token)
  }

  pong(token: number): number {
    return this.#counted(PONG, 0, token)
  }

  datagram(flow: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): number {
    const extra = opening === undefined ? 1 : 3 + opening.length
    const length = extra + bytes.length
    const small = bytes.length <= COPY_BYTES
    const at = this.#head(DATAGRAM, length, flow, small ? length : extra)
    this.#slab[at] = opening === undefined ? flags & ~FLAG_OPENING : flags | FLAG_OPENING
    if (opening !== undefined) {
      this.#slab[at + 1] = opening.length & 0xff
      this.#slab[at + 2] = opening.length >> 8
      this.#slab.set(opening, at + 3)
    }
    if (small) this.#slab.set(bytes, at + extra)
    else {
      this.#cut()
      this.#buffers.push(bytes)
      this.size += bytes.length
    }
    return HEADER_BYTES + length
  }

  goaway(code: number, reason: string): number {
    const text = reason.slice(0, MAX_REASON_BYTES)
    const at = this.#head(GOAWAY, 4 + text.length, 0)
    this.#u32(at, code)
    for (let index = 0; index < text.length; index++) this.#slab[at + 4 + index] = text.charCodeAt(index) & 0x7f
    return HEADER_BYTES + 4 + text.length
  }

  lost(entries: readonly (readonly [carrier: number, received: number])[]): number {
    let at = this.#head(LOST, 12 * entries.length, 0)
    for (const [carrier, received] of entries) {
      this.#u32(at, carrier)
      this.#count(at + 4, received)
      at += 12
    }
    return HEADER_BYTES + 12 * entries.length
  }

  #counted(type: number, stream: number, value: number): number {
    this.#count(this.#head(type, 8, stream), value)
    return HEADER_BYTES + 8
  }

  /** Writes a header and reserves `inSlab` bytes after it; answers where they begin. */
  #head(type: number, length: number, stream: number, inSlab: number = length): number {
    const need = HEADER_BYTES + inSlab
    if (this.#at + need > this.#slab.length) {
      this.#cut()
      this.#slab = new Uint8Array(Math.max(SLAB_BYTES, CARRIER_HEADROOM + need))
      this.#at = 0
      this.#reserve()
    }
    const slab = this.#slab
    const at = this.#at
    slab[at] = type
    slab[at + 1] = length & 0xff
    slab[at + 2] = (length >> 8) & 0xff
    slab[at + 3] = length >> 16
    this.#u32(at + 4, stream)
    this.#at += need
    this.size += need
    return at + HEADER_BYTES
  }

  /** What is in the slab goes before `chunk`, in the same memory: TLS would copy two buffers together, this costs nothing. */
  #inFront(chunk: Uint8Array): void {
    const front = this.#slab.subarray(this.#from, this.#at)
    const whole = new Uint8Array(chunk.buffer, chunk.byteOffset - front.length, front.length + chunk.length)
    whole.set(front)
    this.#at = this.#from
    this.#buffers.push(whole)
  }

  #reserve(): void {
    this.#at += CARRIER_HEADROOM
    this.#from = this.#at
  }

  #cut(): void {
    if (this.#at > this.#from) this.#buffers.push(this.#slab.subarray(this.#from, this.#at))
    this.#from = this.#at
  }

  #u32(at: number, value: number): void {
    const slab = this.#slab
    slab[at] = value & 0xff
    slab[at + 1] = (value >>> 8) & 0xff
    slab[at + 2] = (value >>> 16) & 0xff
    slab[at + 3] = value >>> 24
  }

  #count(at: number, value: number): void {
    this.#u32(at, value % 0x1_0000_0000)
    this.#u32(at + 4, Math.floor(value / 0x1_0000_0000))
  }
}
