/*
 *  RFC 6455 §5.2
 *   0               1               2                4 (or 2, 10)     8
 *  ┌─┬───┬────────┬─┬─────────────┬────────────────┬────────────────┬─────────
 *  │F│RSV│ opcode │M│ length (7)  │ length 16 or 64│ mask key if M  │ payload …
 *  └─┴───┴────────┴─┴─────────────┴────────────────┴────────────────┴─────────
 *  length 126: 16 bits follow · 127: 64 bits follow · big endian
 */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Close codes that we send. RFC 6455 §7.4.1 */
export const CLOSE = { normal: 1000, protocolError: 1002, unsupported: 1003, invalidText: 1007, tooBig: 1009 } as const

export const MAX_FRAME_HEADER_BYTES = 14
/** RFC 6455 §5.5 */
export const MAX_CONTROL_BYTES = 125
export const KEY_BYTES = 4
/** Inside our own TLS masking guards nothing, and a key of zeros saves touching every byte twice. */
export const ZERO_KEY: Uint8Array = new Uint8Array(KEY_BYTES)

const FIN = 0x80
const MASKED = 0x80

/** How long the header is that `writeFrameHeader` writes. */
export function frameHeaderBytes(length: number, key: Uint8Array | undefined): number {
  return (length < 126 ? 2 : length < 65_536 ? 4 : 10) + (key === undefined ? 0 : KEY_BYTES)
}

/** Writes the header of an unfragmented frame; returns its length. `key` is there from agent to edge alone. */
export function writeFrameHeader(
  into: Uint8Array,
  opcode: number,
  length: number,
  key: Uint8Array | undefined,
): number {
  const masked = key === undefined ? 0 : MASKED
  into[0] = FIN | opcode
  let at = 2
  if (length < 126) into[1] = masked | length
  else if (length < 65_536) {
    into[1] = masked | 126
    into[2] = length >> 8
    into[3] = length & 0xff
    at = 4
  } else {
    into[1] = masked | 127
    const high = Math.floor(length / 2 ** 32)
    for (let index = 0; index < 4; index++) {
      into[2 + index] = (high >>> (24 - 8 * index)) & 0xff
      into[6 + index] = (length >>> (24 - 8 * index)) & 0xff
    }
    at = 10
  }
  if (key === undefined) return at
  into.set(key, at)
  return at + KEY_BYTES
}

/**
 * Masks or unmasks in place; `phase` is the offset of `bytes` in its frame's payload. RFC 6455 §5.3
 *
 * Word by word where memory is aligned: byte by byte costs four times as much.
 */
export function applyMask(bytes: Uint8Array, key: Uint8Array, phase: number): void {
  const lead = Math.min(bytes.length, -bytes.byteOffset & 3)
  maskBytes(bytes, 0, lead, key, phase)
  const words = (bytes.length - lead) >> 2
  if (words > 0) {
    const turned = Uint8Array.from({ length: KEY_BYTES }, (_, index) => key[(phase + lead + index) & 3] ?? 0)
    const word = new Uint32Array(turned.buffer)[0] ?? 0
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, words)
    for (let index = 0; index < words; index++) view[index] = (view[index] ?? 0) ^ word
  }
  maskBytes(bytes, lead + 4 * words, bytes.length, key, phase)
}

function maskBytes(bytes: Uint8Array, from: number, to: number, key: Uint8Array, phase: number): void {
  for (let index = from; index < to; index++) bytes[index] = (bytes[index] ?? 0) ^ (key[(phase + index) & 3] ?? 0)
}

/** Which close codes a peer may send. RFC 6455 §7.4 */
export function isCloseCode(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}
