/** A slice under this share of its buffer is copied when it must wait. */
const SHARE = 4

/** Bytes that have to wait, so that a few of them never keep a whole read buffer in memory. */
export function unpinned(bytes: Uint8Array): Uint8Array {
  return bytes.length * SHARE < bytes.buffer.byteLength ? Uint8Array.from(bytes) : bytes
}
