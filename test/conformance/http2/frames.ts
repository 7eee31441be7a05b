/** Fields in the order in which they go out; nothing is checked. */
export type Fields = readonly (readonly [name: string, value: string])[]

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const
export const FLAG = { endStream: 1, endHeaders: 4, ack: 1 } as const

/*
 *  ┌──────────────┬──────┬───────┬──────────────┬─────
 *  │ length (u24) │ type │ flags │ stream (u32) │ …      RFC 9113 §4.1, big endian
 *  └──────────────┴──────┴───────┴──────────────┴─────
 */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What opens a connection. */
export const OPENING: Buffer = Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)])

/** Every field as a literal without indexing and without Huffman. RFC 7541 §6.2.2 */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      ...[name, value].flatMap((text) => [size(text), latin1(text)]),
    ]),
  )
}

/** An integer with a prefix of 7 bits. RFC 7541 §5.1 */
function size({ length }: string): Buffer {
  if (length < 127) return Buffer.from([length])
  const bytes = [127]
  let rest = length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Indexed fields of the static table from 8 on. RFC 7541 Appendix A */
const STATUSES = [200, 204, 206, 304, 400, 404, 500]

/** The status of an answer, whose field comes first in its block. */
export function statusOf(headers: Buffer): number {
  // A change of the table's size may stand before it.
  const at = headers.findIndex((byte) => (byte & 0xe0) !== 0x20)
  const first = headers[at] ?? 0
  if (first >= 0x88) return STATUSES[first - 0x88] ?? 0
  const length = headers[at + 1] ?? 0
  const text = headers.subarray(at + 2, at + 2 + (length & 127))
  return Number(length < 128 ? text.toString('latin1') : digits(text))
}

/** Huffman codes of digits: five bits up to 2, six bits above. RFC 7541 Appendix B */
function digits(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let text = ''
  for (let at = 0; bits.length - at >= 5 && text.length < 3; ) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2)
    const small = five <= 2
    text += String(small ? five : Number.parseInt(bits.slice(at, at + 6), 2) - 0x19 + 3)
    at += small ? 5 : 6
  }
  return text
}

/** Takes whole frames off the front. */
export function* frames(read: {
  bytes: Buffer
}): Generator<{ type: number; flags: number; stream: number; payload: Buffer }> {
  while (read.bytes.length >= 9) {
    const length = read.bytes.readUIntBE(0, 3)
    if (read.bytes.length < 9 + length) return
    const [type = 0, flags = 0] = read.bytes.subarray(3, 5)
    const stream = read.bytes.readUInt32BE(5) & 0x7fffffff
    const payload = read.bytes.subarray(9, 9 + length)
    read.bytes = read.bytes.subarray(9 + length)
    yield { type, flags, stream, payload }
  }
}
