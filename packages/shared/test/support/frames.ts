/**
 * The frames of protocol.md §3, written a second time from its text and as plainly as possible:
 * the oracle of the codec tests and the tongue of the hostile peers. Nothing here imports `src`.
 */
export type Frame =
  | { readonly type: 'open'; readonly stream: number; readonly credit: number; readonly opening: Uint8Array }
  | { readonly type: 'accept'; readonly stream: number }
  | { readonly type: 'data'; readonly stream: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly stream: number; readonly final: number }
  | { readonly type: 'reset'; readonly stream: number; readonly code: number }
  | { readonly type: 'credit'; readonly stream: number; readonly limit: number }
  | { readonly type: 'ack'; readonly received: number }
  | { readonly type: 'datagram'; readonly flow: number; readonly flags: number; readonly body: Uint8Array }
  | { readonly type: 'ping'; readonly token: number }
  | { readonly type: 'pong'; readonly token: number }
  | { readonly type: 'goaway'; readonly code: number; readonly reason: string }
  | { readonly type: 'lost'; readonly entries: readonly (readonly [carrier: number, received: number])[] }

export const TYPES: Record<Frame['type'], number> = {
  open: 1,
  accept: 2,
  data: 3,
  end: 4,
  reset: 5,
  credit: 6,
  ack: 7,
  datagram: 8,
  ping: 9,
  pong: 10,
  goaway: 11,
  lost: 12,
}

const UNLEDGERED: ReadonlySet<number> = new Set([TYPES.ack, TYPES.datagram, TYPES.ping, TYPES.pong])

/** The header and any payload at all, right or wrong. */
export function raw(type: number, stream: number, payload: Uint8Array, length: number = payload.length): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt8(type, 0)
  header.writeUIntLE(length, 1, 3)
  header.writeUInt32LE(stream, 4)
  return Buffer.concat([header, payload])
}

export function u64(...numbers: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length)
  numbers.forEach((number, index) => bytes.writeBigUInt64LE(BigInt(number), 8 * index))
  return bytes
}

export function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}

export function encode(frame: Frame): Buffer {
  const stream = 'stream' in frame ? frame.stream : frame.type === 'datagram' ? frame.flow : 0
  return raw(TYPES[frame.type], stream, payloadOf(frame))
}

function payloadOf(frame: Frame): Buffer {
  if (frame.type === 'open') return Buffer.concat([u64(frame.credit), frame.opening])
  if (frame.type === 'accept') return Buffer.alloc(0)
  if (frame.type === 'data') return Buffer.concat([u64(frame.offset), frame.bytes])
  if (frame.type === 'end') return u64(frame.final)
  if (frame.type === 'reset') return u32(frame.code)
  if (frame.type === 'credit') return u64(frame.limit)
  if (frame.type === 'ack') return u64(frame.received)
  if (frame.type === 'datagram') return Buffer.concat([Buffer.from([frame.flags]), frame.body])
  if (frame.type === 'goaway') return Buffer.concat([u32(frame.code), Buffer.from(frame.reason)])
  if (frame.type === 'lost')
    return Buffer.concat(frame.entries.map((entry) => Buffer.concat([u32(entry[0]), u64(entry[1])])))
  return u64(frame.token)
}

export function encodeAll(...frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map(encode))
}

/** How many of these bytes an ACK counts. Spec: protocol.md [R1]. */
export function ledgeredBytes(frames: readonly Frame[]): number {
  let sum = 0
  for (const frame of frames) if (!UNLEDGERED.has(TYPES[frame.type])) sum += encode(frame).length
  return sum
}

/** Whole frames of `bytes`, and how many bytes of an incomplete one follow. Takes for granted that they are well formed. */
export function decodeAll(bytes: Uint8Array): { frames: Frame[]; rest: number } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const frames: Frame[] = []
  let at = 0
  while (all.length - at >= 8) {
    const length = all.readUIntLE(at + 1, 3)
    if (all.length - at < 8 + length) break
    frames.push(decode(all.readUInt8(at), all.readUInt32LE(at + 4), all.subarray(at + 8, at + 8 + length)))
    at += 8 + length
  }
  return { frames, rest: all.length - at }
}

function decode(type: number, stream: number, payload: Buffer): Frame {
  const count = (at: number): number => Number(payload.readBigUInt64LE(at))
  switch (type) {
    case 1:
      return { type: 'open', stream, credit: count(0), opening: payload.subarray(8) }
    case 2:
      return { type: 'accept', stream }
    case 3:
      return { type: 'data', stream, offset: count(0), bytes: payload.subarray(8) }
    case 4:
      return { type: 'end', stream, final: count(0) }
    case 5:
      return { type: 'reset', stream, code: payload.readUInt32LE(0) }
    case 6:
      return { type: 'credit', stream, limit: count(0) }
    case 7:
      return { type: 'ack', received: count(0) }
    case 8:
      return { type: 'datagram', flow: stream, flags: payload.readUInt8(0), body: payload.subarray(1) }
    case 9:
      return { type: 'ping', token: count(0) }
    case 10:
      return { type: 'pong', token: count(0) }
    case 11:
      return { type: 'goaway', code: payload.readUInt32LE(0), reason: payload.toString('utf8', 4) }
    case 12:
      return {
        type: 'lost',
        entries: Array.from({ length: payload.length / 12 }, (_, index) => {
          return [payload.readUInt32LE(12 * index), count(12 * index + 4)] as const
        }),
      }
    default:
      throw new Error(`frame of type ${type}`)
  }
}
