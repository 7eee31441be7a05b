import { EngawaError } from '../errors.ts'
import { MAX_MESSAGE_BYTES } from '../wire/limits.ts'

/*
 *  0             4
 *  ┌─────────────┬───────────────────────────
 *  │ length u32  │ UTF-8 JSON …
 *  └─────────────┴───────────────────────────
 */
const LENGTH_BYTES = 4

/** Cuts stream 0 into its messages. Source: protocol.md §8. */
export class MessageReader {
  readonly #length = new Uint8Array(LENGTH_BYTES)
  #have = 0
  #body: Uint8Array | undefined
  #bodyHave = 0

  /** Calls `take` for each whole message. Throws MESSAGE_INVALID for one that is too long or empty. */
  feed(bytes: Uint8Array, take: (message: Uint8Array) => void): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#body === undefined) {
        this.#length[this.#have++] = bytes[at++] as number
        if (this.#have === LENGTH_BYTES) this.#begin()
        continue
      }
      const part = bytes.subarray(at, at + this.#body.length - this.#bodyHave)
      this.#body.set(part, this.#bodyHave)
      this.#bodyHave += part.length
      at += part.length
      if (this.#bodyHave < this.#body.length) continue
      const message = this.#body
      this.#body = undefined
      this.#bodyHave = 0
      this.#have = 0
      take(message)
    }
  }

  #begin(): void {
    const [a = 0, b = 0, c = 0, d = 0] = this.#length
    const length = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
    if (length === 0 || length > MAX_MESSAGE_BYTES) {
      throw new EngawaError('MESSAGE_INVALID', `a message of ${length} bytes`)
    }
    this.#body = new Uint8Array(length)
  }
}

/** A message as it goes on stream 0. */
export function frameMessage(json: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + json.length)
  bytes[0] = json.length & 0xff
  bytes[1] = (json.length >> 8) & 0xff
  bytes[2] = (json.length >> 16) & 0xff
  bytes[3] = json.length >>> 24
  bytes.set(json, LENGTH_BYTES)
  return bytes
}
