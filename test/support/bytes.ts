import { createCipheriv, createHash } from 'node:crypto'
import { Readable } from 'node:stream'

const CHUNK = 256 * 1024
const ZEROS = Buffer.alloc(CHUNK)

/**
 * `size` bytes that depend on `seed` and on nothing else, from offset `from` on: the AES-CTR key stream, which can be
 * entered anywhere, costs little and never repeats, so a lost, doubled or swapped slice always changes the hash.
 */
export function* seeded(seed: string, size: number, from = 0): Generator<Buffer> {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16)
  const counter = Buffer.alloc(16)
  counter.writeBigUInt64BE(BigInt(Math.floor(from / 16)), 8)
  const cipher = createCipheriv('aes-128-ctr', key, counter)
  cipher.update(ZEROS.subarray(0, from % 16))
  for (let left = size; left > 0; left -= CHUNK) yield cipher.update(ZEROS.subarray(0, Math.min(CHUNK, left)))
}

export function seededStream(seed: string, size: number, from = 0): Readable {
  return Readable.from(seeded(seed, size, from), { objectMode: false })
}

/** What the SHA-256 of `seeded(…)` must come to, in hex. */
export function seededHash(seed: string, size: number, from = 0): string {
  const hash = createHash('sha256')
  for (const chunk of seeded(seed, size, from)) hash.update(chunk)
  return hash.digest('hex')
}
