import t from 'tap'
import { FrameReader } from '../../src/wire/frame.ts'
import { CARRIER_HEADROOM, HEADROOM } from '../../src/wire/limits.ts'
import { FrameWriter } from '../../src/wire/writer.ts'
import { Collector, dataLengths, joined } from '../support/collect.ts'
import { decodeAll, encode, encodeAll, type Frame, ledgeredBytes, raw, u32, u64 } from '../support/frames.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { anyFrame } from '../support/random-frames.ts'

const MOST = 'ffffffffffff1f00'
const OPENING = Buffer.from('ab'.repeat(46), 'hex')

/** type, length, stream, payload. */
const TABLE: [hex: string, frame: Frame][] = [
  [
    `01 360000 01000000 0000020000000000 ${'ab'.repeat(46)}`,
    { type: 'open', stream: 1, credit: 131_072, opening: OPENING },
  ],
  [`01 080000 ffffffff ${MOST}`, { type: 'open', stream: 2 ** 32 - 1, credit: 2 ** 53 - 1, opening: Buffer.alloc(0) }],
  ['02 000000 02000000', { type: 'accept', stream: 2 }],
  ['03 0b0000 03000000 0500000000000000 616263', { type: 'data', stream: 3, offset: 5, bytes: Buffer.from('abc') }],
  [`03 090000 00000000 ${MOST} ff`, { type: 'data', stream: 0, offset: 2 ** 53 - 1, bytes: Buffer.from([255]) }],
  ['04 080000 04000000 0000000001000000', { type: 'end', stream: 4, final: 2 ** 32 }],
  [`04 080000 ffffffff ${MOST}`, { type: 'end', stream: 2 ** 32 - 1, final: 2 ** 53 - 1 }],
  ['05 040000 05000000 07000000', { type: 'reset', stream: 5, code: 7 }],
  ['06 080000 06000000 0040000000000000', { type: 'credit', stream: 6, limit: 16_384 }],
  ['06 080000 00000000 0100010000000000', { type: 'credit', stream: 0, limit: 65_537 }],
  ['07 080000 00000000 7856341200000000', { type: 'ack', received: 0x12345678 }],
  ['08 040000 09000000 00 010203', { type: 'datagram', flow: 9, flags: 0, body: Buffer.from([1, 2, 3]) }],
  ['08 010000 09000000 06', { type: 'datagram', flow: 9, flags: 6, body: Buffer.alloc(0) }],
  [
    '08 060000 09000000 01 0200 aabb cc',
    { type: 'datagram', flow: 9, flags: 1, body: Buffer.from('0200aabbcc', 'hex') },
  ],
  ['09 080000 00000000 2a00000000000000', { type: 'ping', token: 42 }],
  [`0a 080000 00000000 ${MOST}`, { type: 'pong', token: 2 ** 53 - 1 }],
  ['0b 070000 00000000 25000000 627965', { type: 'goaway', code: 37, reason: 'bye' }],
  ['0b 040000 00000000 ffffffff', { type: 'goaway', code: 2 ** 32 - 1, reason: '' }],
  ['0c 0c0000 00000000 02000000 0a00000000000000', { type: 'lost', entries: [[2, 10]] }],
  [
    `0c 180000 00000000 02000000 0000000000000000 ffffffff ${MOST}`,
    {
      type: 'lost',
      entries: [
        [2, 0],
        [2 ** 32 - 1, 2 ** 53 - 1],
      ],
    },
  ],
]

function unhex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

function read(parts: readonly Uint8Array[]): { frames: Frame[]; ledgered: number } {
  const sink = new Collector()
  const reader = new FrameReader(sink)
  for (const part of parts) reader.feed(part)
  return { frames: sink.frames, ledgered: reader.ledgered }
}

function write(writer: FrameWriter, frame: Frame): number {
  switch (frame.type) {
    case 'open':
      return writer.open(frame.stream, frame.credit, frame.opening)
    case 'data': {
      const third = Math.floor(frame.bytes.length / 3)
      const chunks = [frame.bytes.subarray(0, third), frame.bytes.subarray(third)]
      return writer.data(frame.stream, frame.offset, frame.bytes.length, chunks)
    }
    case 'datagram': {
      if ((frame.flags & 1) === 0) return writer.datagram(frame.flow, frame.flags, undefined, frame.body)
      const length = (frame.body[0] ?? 0) | ((frame.body[1] ?? 0) << 8)
      return writer.datagram(
        frame.flow,
        frame.flags,
        frame.body.subarray(3 - 1, 2 + length),
        frame.body.subarray(2 + length),
      )
    }
    case 'accept':
      return writer.accept(frame.stream)
    case 'end':
      return writer.end(frame.stream, frame.final)
    case 'reset':
      return writer.reset(frame.stream, frame.code)
    case 'credit':
      return writer.credit(frame.stream, frame.limit)
    case 'ack':
      return writer.ack(frame.received)
    case 'ping':
      return writer.ping(frame.token)
    case 'pong':
      return writer.pong(frame.token)
    case 'goaway':
      return writer.goaway(frame.code, frame.reason)
    default:
      return writer.lost(frame.entries)
  }
}

t.test('the oracle itself writes and reads the bytes of the table', async (t) => {
  for (const [hex, frame] of TABLE) {
    t.equal(encode(frame).toString('hex'), unhex(hex).toString('hex'), hex)
    t.same(decodeAll(unhex(hex)), { frames: [frame], rest: 0 }, hex)
  }
})

for (const [hex, frame] of TABLE) {
  t.test(`${frame.type} is read and written as ${hex.slice(0, 60)}`, async (t) => {
    t.same(read([unhex(hex)]).frames, [frame])
    const writer = new FrameWriter()
    t.equal(write(writer, frame), unhex(hex).length, 'answers its length')
    t.equal(writer.size, unhex(hex).length, 'counts it')
    t.equal(Buffer.concat(writer.take().buffers).toString('hex'), unhex(hex).toString('hex'))
    t.equal(writer.size, 0)
  })
}

const CONVERSATION = TABLE.map(([, frame]) => frame)
const BYTES = encodeAll(...CONVERSATION)

t.test('C4 a frame may span messages: split at every offset', async (t) => {
  for (let at = 0; at <= BYTES.length; at++) {
    const { frames, ledgered } = read([BYTES.subarray(0, at), BYTES.subarray(at)])
    t.same(joined(frames, dataLengths(CONVERSATION)), CONVERSATION, `split at ${at}`)
    t.equal(ledgered, ledgeredBytes(CONVERSATION))
  }
})

t.test('C4 a frame may span messages: one byte at a time', async (t) => {
  const { frames } = read([...BYTES].map((byte) => Buffer.from([byte])))
  t.same(joined(frames, dataLengths(CONVERSATION)), CONVERSATION)
})

t.test('R1 the count for ACK holds the part that came of an incomplete frame, at every offset', async (t) => {
  for (let at = 0; at <= BYTES.length; at++) {
    const { frames, rest } = decodeAll(BYTES.subarray(0, at))
    const next = CONVERSATION[frames.length]
    const isLedgered = next !== undefined && ledgeredBytes([next]) > 0
    t.equal(
      read([BYTES.subarray(0, at)]).ledgered,
      ledgeredBytes(frames) + (isLedgered ? rest : 0),
      `after ${at} bytes`,
    )
  }
})

t.test('F2 every byte of DATA is handed on before the next one is there', async (t) => {
  const bytes = encode({ type: 'data', stream: 9, offset: 1000, bytes: Buffer.from('hello') })
  const sink = new Collector()
  const reader = new FrameReader(sink)
  reader.feed(bytes.subarray(0, 16))
  for (let index = 16; index < bytes.length; index++) {
    reader.feed(bytes.subarray(index, index + 1))
    t.same(sink.frames.at(-1), {
      type: 'data',
      stream: 9,
      offset: 984 + index,
      bytes: bytes.subarray(index, index + 1),
    })
  }
})

t.test('random frames in random slices: the reader agrees with the oracle, and so does the writer', async (t) => {
  const seed = seedOfRun()
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  for (let round = 0; round < 1500; round++) {
    const frames = Array.from({ length: 1 + random.below(12) }, () => anyFrame(random, random.chance(5) ? 20_000 : 200))
    const bytes = encodeAll(...frames)
    const parts: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(random.pick([1, 9, 40, bytes.length]))
      parts.push(bytes.subarray(at, at + length))
      at += length
    }
    const got = read(parts)
    const same = encodeAll(...joined(got.frames, dataLengths(frames))).equals(bytes)
    if (!same || got.ledgered !== ledgeredBytes(frames)) throw new Error(`reader differs: seed ${seed}, round ${round}`)
    const writer = new FrameWriter()
    let size = 0
    for (const frame of frames) size += write(writer, frame)
    const isSized = size === bytes.length && writer.size === bytes.length
    if (!isSized || !Buffer.concat(writer.take().buffers).equals(bytes))
      throw new Error(`writer differs: seed ${seed}, round ${round}`)
  }
})

t.test('what the writer has given away never changes afterwards', async (t) => {
  const random = new Random(7)
  const writer = new FrameWriter()
  const kept: { views: readonly Uint8Array[]; bytes: Buffer }[] = []
  for (let round = 0; round < 400; round++) {
    for (let count = random.below(20); count >= 0; count--) write(writer, anyFrame(random, 2000))
    const views = writer.take().buffers
    kept.push({ views, bytes: Buffer.concat(views) })
  }
  t.ok(kept.every(({ views, bytes }) => Buffer.concat(views).equals(bytes)))
})

t.test('headers go in front of a payload that has headroom, with small frames that wait', async (t) => {
  const writer = new FrameWriter()
  const room = Buffer.alloc(HEADROOM + 5000, 0xaa)
  const payload = room.subarray(HEADROOM).fill(7)
  const plain = new FrameWriter()
  for (const each of [writer, plain]) {
    each.credit(6, 16_384)
    each.data(3, 5, 5000, [payload], each === writer ? HEADROOM : 0)
    each.ack(12)
  }
  const { buffers, headroom } = writer.take()
  t.equal(buffers.length, 2)
  t.equal(buffers[0]?.buffer, room.buffer)
  t.equal(headroom, CARRIER_HEADROOM)
  const apart = plain.take()
  t.equal(apart.headroom, CARRIER_HEADROOM)
  t.same(Buffer.concat(buffers), Buffer.concat(apart.buffers))
  t.ok(
    room.subarray(0, CARRIER_HEADROOM).every((byte) => byte === 0xaa),
    'what is the carrier’s is untouched',
  )
  for (let count = 0; count < 10; count++) writer.credit(6, count)
  writer.data(3, 5005, 5000, [payload], HEADROOM)
  t.equal(writer.take().buffers.length, 2, 'more than has room goes before it')
})

t.test('before what is taken at a time, a header of the carrier’s can be written', async (t) => {
  const random = new Random(11)
  const writer = new FrameWriter()
  t.same(writer.take(), { buffers: [], headroom: 0, bytes: 0 })
  const kept: { views: readonly Uint8Array[]; bytes: Buffer }[] = []
  for (let round = 0; round < 400; round++) {
    for (let count = random.below(20); count >= 0; count--) write(writer, anyFrame(random, 2000))
    const { buffers, headroom } = writer.take()
    kept.push({ views: buffers, bytes: Buffer.concat(buffers) })
    const [first] = buffers
    if (first === undefined || headroom !== CARRIER_HEADROOM) throw new Error('no room')
    new Uint8Array(first.buffer, first.byteOffset - headroom, headroom).fill(0xaa)
  }
  t.ok(kept.every(({ views, bytes }) => Buffer.concat(views).equals(bytes)))
})

const TOO_MUCH = u64(2n ** 53n)
const HUGE = u64(2n ** 64n - 1n)

/** Spec: protocol.md [F1]. A header alone must do where the length is wrong: nobody waits for 16 MiB of nonsense. */
const VIOLATIONS: [name: string, bytes: Buffer, code: string][] = [
  ...[0, 13, 14, 127, 128, 255].map((type): [string, Buffer, string] => [
    `type ${type}`,
    Buffer.from([type]),
    'FRAME_UNKNOWN',
  ]),
  ['OPEN without credit', raw(1, 1, Buffer.alloc(0), 7).subarray(0, 8), 'PROTOCOL_VIOLATION'],
  ['OPEN with an opening of 257 bytes', raw(1, 1, Buffer.alloc(0), 265), 'FRAME_TOO_LARGE'],
  ['OPEN of stream 0', raw(1, 0, Buffer.alloc(8)), 'PROTOCOL_VIOLATION'],
  ['OPEN with credit 2^53', raw(1, 1, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['ACCEPT with a payload', raw(2, 1, Buffer.alloc(0), 1), 'FRAME_TOO_LARGE'],
  ['ACCEPT of stream 0', raw(2, 0, Buffer.alloc(0)), 'PROTOCOL_VIOLATION'],
  ['DATA without bytes', raw(3, 1, Buffer.alloc(0), 8), 'PROTOCOL_VIOLATION'],
  ['DATA without an offset', raw(3, 1, Buffer.alloc(0), 0), 'PROTOCOL_VIOLATION'],
  ['DATA of 262,145 bytes', raw(3, 1, Buffer.alloc(0), 262_153), 'FRAME_TOO_LARGE'],
  ['DATA of 16 MiB', raw(3, 1, Buffer.alloc(0), 2 ** 24 - 1), 'FRAME_TOO_LARGE'],
  ['DATA at 2^53', raw(3, 1, Buffer.concat([TOO_MUCH, Buffer.alloc(1)])), 'PROTOCOL_VIOLATION'],
  ['DATA at 2^64-1', raw(3, 1, Buffer.concat([HUGE, Buffer.alloc(1)])), 'PROTOCOL_VIOLATION'],
  ['END of 7 bytes', raw(4, 1, Buffer.alloc(0), 7), 'PROTOCOL_VIOLATION'],
  ['END of 9 bytes', raw(4, 1, Buffer.alloc(0), 9), 'FRAME_TOO_LARGE'],
  ['END at 2^53', raw(4, 1, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['END of stream 0', raw(4, 0, u64(0)), 'PROTOCOL_VIOLATION'],
  ['RESET of stream 0', raw(5, 0, u32(1)), 'PROTOCOL_VIOLATION'],
  ['RESET of 3 bytes', raw(5, 1, Buffer.alloc(0), 3), 'PROTOCOL_VIOLATION'],
  ['RESET of 5 bytes', raw(5, 1, Buffer.alloc(0), 5), 'FRAME_TOO_LARGE'],
  ['CREDIT of 7 bytes', raw(6, 1, Buffer.alloc(0), 7), 'PROTOCOL_VIOLATION'],
  ['CREDIT of 9 bytes', raw(6, 1, Buffer.alloc(0), 9), 'FRAME_TOO_LARGE'],
  ['CREDIT of 2^53', raw(6, 1, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['ACK of stream 1', raw(7, 1, u64(0)), 'PROTOCOL_VIOLATION'],
  ['ACK of 7 bytes', raw(7, 0, Buffer.alloc(0), 7), 'PROTOCOL_VIOLATION'],
  ['ACK of 9 bytes', raw(7, 0, Buffer.alloc(0), 9), 'FRAME_TOO_LARGE'],
  ['ACK of 2^53', raw(7, 0, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['DATAGRAM without flags', raw(8, 1, Buffer.alloc(0), 0), 'PROTOCOL_VIOLATION'],
  ['DATAGRAM of flow 0', raw(8, 0, Buffer.alloc(1)), 'PROTOCOL_VIOLATION'],
  ['DATAGRAM with half an opening length', raw(8, 1, Buffer.from([1, 0])), 'PROTOCOL_VIOLATION'],
  ['DATAGRAM whose opening is longer than it', raw(8, 1, Buffer.from([1, 2, 0, 9])), 'PROTOCOL_VIOLATION'],
  [
    'DATAGRAM with an opening of 257 bytes',
    raw(8, 1, Buffer.concat([Buffer.from([1, 1, 1]), Buffer.alloc(257)])),
    'PROTOCOL_VIOLATION',
  ],
  ['DATAGRAM longer than UDP', raw(8, 1, Buffer.alloc(65_509)), 'FRAME_TOO_LARGE'],
  ['DATAGRAM of 16 MiB', raw(8, 1, Buffer.alloc(0), 2 ** 24 - 1), 'FRAME_TOO_LARGE'],
  ['PING of stream 1', raw(9, 1, u64(0)), 'PROTOCOL_VIOLATION'],
  ['PING of 4 bytes', raw(9, 0, Buffer.alloc(0), 4), 'PROTOCOL_VIOLATION'],
  ['PING of 9 bytes', raw(9, 0, Buffer.alloc(0), 9), 'FRAME_TOO_LARGE'],
  ['PING of 2^53', raw(9, 0, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['PONG of stream 1', raw(10, 1, u64(0)), 'PROTOCOL_VIOLATION'],
  ['PONG of 0 bytes', raw(10, 0, Buffer.alloc(0), 0), 'PROTOCOL_VIOLATION'],
  ['PONG of 2^53', raw(10, 0, TOO_MUCH), 'PROTOCOL_VIOLATION'],
  ['GOAWAY of stream 1', raw(11, 1, u32(1)), 'PROTOCOL_VIOLATION'],
  ['GOAWAY without a code', raw(11, 0, Buffer.alloc(0), 3), 'PROTOCOL_VIOLATION'],
  ['GOAWAY with a reason of 257 bytes', raw(11, 0, Buffer.alloc(0), 261), 'FRAME_TOO_LARGE'],
  ['LOST of stream 1', raw(12, 1, Buffer.alloc(12)), 'PROTOCOL_VIOLATION'],
  ['LOST without entries', raw(12, 0, Buffer.alloc(0), 0), 'PROTOCOL_VIOLATION'],
  ['LOST with half an entry', raw(12, 0, Buffer.alloc(0), 18), 'PROTOCOL_VIOLATION'],
  ['LOST with 65 entries', raw(12, 0, Buffer.alloc(0), 780), 'FRAME_TOO_LARGE'],
  ['LOST with a count of 2^53', raw(12, 0, Buffer.concat([u32(1), TOO_MUCH])), 'PROTOCOL_VIOLATION'],
]

for (const [name, bytes, code] of VIOLATIONS) {
  t.test(`F1 ${name} is ${code}, however it is cut`, async (t) => {
    const sizes = bytes.length > 1000 ? [bytes.length, 1000] : [bytes.length, 1, 3, 8, 11]
    for (const size of sizes) {
      const parts: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size))
      t.throws(() => read(parts), { code }, `in slices of ${size}`)
    }
  })
}

t.test('the largest frame of each type passes', async (t) => {
  const largest = [
    raw(1, 1, Buffer.alloc(264)),
    raw(3, 1, Buffer.alloc(8 + 262_144)),
    raw(8, 1, Buffer.alloc(1 + 65_507)),
    raw(8, 1, Buffer.concat([Buffer.from([1, 0, 1]), Buffer.alloc(256 + 65_507)])),
    raw(11, 0, Buffer.alloc(260)),
    raw(12, 0, Buffer.alloc(768)),
  ]
  for (const bytes of largest) t.equal(read([bytes]).frames.length, 1)
})
