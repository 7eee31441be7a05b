import { randomBytes } from 'node:crypto'
import t from 'tap'
import { applyMask, MAX_FRAME_HEADER_BYTES, OPCODE, writeFrameHeader } from '../../src/carrier/websocket-codec.ts'
import { FrameDecoder } from '../../src/carrier/websocket-decoder.ts'

/** What a decoder told, binary slices of one run joined. */
function decode(chunks: readonly Uint8Array[], masked = false): string[] {
  const told: string[] = []
  const decoder = new FrameDecoder(masked, {
    binary: (bytes) => {
      const hex = Buffer.from(bytes).toString('hex')
      if (told.at(-1)?.startsWith('binary ')) told[told.length - 1] += hex
      else told.push(`binary ${hex}`)
    },
    text: (text) => told.push(`text ${text}`),
    ping: (payload) => told.push(`ping ${Buffer.from(payload).toString('hex')}`),
    close: (code) => told.push(`close ${code}`),
    violation: (code) => told.push(`violation ${code}`),
  })
  for (const chunk of chunks) decoder.push(Uint8Array.from(chunk))
  return told
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

const TABLE: readonly { name: string; bytes: string; masked?: boolean; told: string[] }[] = [
  { name: 'unmasked text (RFC 6455 §5.7)', bytes: '8105 48656c6c6f', told: ['text Hello'] },
  { name: 'masked text (RFC 6455 §5.7)', bytes: '8185 37fa213d 7f9f4d5158', masked: true, told: ['text Hello'] },
  { name: 'fragmented text (RFC 6455 §5.7)', bytes: '0103 48656c 8002 6c6f', told: ['text Hello'] },
  { name: 'ping (RFC 6455 §5.7)', bytes: '8905 48656c6c6f', told: ['ping 48656c6c6f'] },
  { name: 'pong is ignored', bytes: '8a85 37fa213d 7f9f4d5158', masked: true, told: [] },
  { name: 'binary', bytes: '8203 010203', told: ['binary 010203'] },
  { name: 'zero mask', bytes: '8283 00000000 010203', masked: true, told: ['binary 010203'] },
  { name: 'empty messages', bytes: '8200 8100 8900', told: ['text ', 'ping '] },
  {
    name: 'fragments of binary around a ping',
    bytes: '0201 01 8901 ff 0001 02 8001 03',
    told: ['binary 01', 'ping ff', 'binary 0203'],
  },
  { name: '16-bit length', bytes: `827e 007e ${'ab'.repeat(126)}`, told: [`binary ${'ab'.repeat(126)}`] },
  {
    name: '64-bit length',
    bytes: `827f 0000000000010000 ${'cd'.repeat(65_536)}`,
    told: [`binary ${'cd'.repeat(65_536)}`],
  },
  { name: 'a huge claimed length costs nothing', bytes: '827f 001fffffffffffff 0102', told: ['binary 0102'] },
  { name: 'close without code', bytes: '8800', told: ['close undefined'] },
  { name: 'close with code and reason, deaf afterwards', bytes: '8804 03e8 6f6b 8201 01', told: ['close 1000'] },
  { name: 'close with one byte', bytes: '8801 03', told: ['violation 1002'] },
  { name: 'close with a forbidden code', bytes: '8802 03ed', told: ['violation 1002'] },
  { name: 'close with a reason that is no UTF-8', bytes: '8803 03e8 ff', told: ['violation 1007'] },
  { name: 'reserved bit', bytes: 'c200', told: ['violation 1002'] },
  { name: 'unknown opcode', bytes: '8300', told: ['violation 1002'] },
  { name: 'unknown control opcode', bytes: '8b00', told: ['violation 1002'] },
  { name: 'continuation of nothing', bytes: '8000', told: ['violation 1002'] },
  { name: 'message inside a message', bytes: '0201 01 8201 02', told: ['binary 01', 'violation 1002'] },
  { name: 'fragmented ping', bytes: '0900', told: ['violation 1002'] },
  { name: 'ping above 125 bytes', bytes: '897e 007e', told: ['violation 1002'] },
  { name: 'unmasked frame from an agent', bytes: '8201 01', masked: true, told: ['violation 1002'] },
  { name: 'masked frame from an edge', bytes: '8281 00000000 01', told: ['violation 1002'] },
  { name: '16-bit length that 7 bits would hold', bytes: '827e 0001 01', told: ['violation 1002'] },
  { name: '64-bit length that 16 bits would hold', bytes: '827f 000000000000ffff', told: ['violation 1002'] },
  { name: 'length above 2^53 - 1', bytes: '827f 0020000000000000', told: ['violation 1002'] },
  { name: 'length with the highest bit', bytes: '827f 8000000000000000', told: ['violation 1002'] },
  { name: 'text that is no UTF-8', bytes: '8101 ff', told: ['violation 1007'] },
  { name: 'text above 16 KiB', bytes: '817e 4001', told: ['violation 1009'] },
  { name: 'text above 16 KiB in fragments', bytes: `017e 4000 ${'61'.repeat(16_384)} 8001`, told: ['violation 1009'] },
]

for (const { name, bytes, masked, told } of TABLE) {
  t.test(name, (t) => {
    const whole = hex(bytes)
    t.same(decode([whole], masked), told)
    const last = Math.min(whole.length, 200)
    for (let at = 1; at < last; at++)
      t.same(decode([whole.subarray(0, at), whole.subarray(at)], masked), told, `split at ${at}`)
    if (whole.length < 1000)
      t.same(
        decode(
          [...whole].map((byte) => Uint8Array.of(byte)),
          masked,
        ),
        told,
        'byte by byte',
      )
    t.end()
  })
}

t.test('headers that are written are read, at every boundary of length', (t) => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_001]) {
    for (const key of [undefined, Uint8Array.of(0, 0, 0, 0), Uint8Array.of(1, 2, 3, 250)]) {
      const header = new Uint8Array(MAX_FRAME_HEADER_BYTES)
      const size = writeFrameHeader(header, OPCODE.binary, length, key)
      const payload = randomBytes(length)
      const sent = Uint8Array.from(payload)
      if (key !== undefined) applyMask(sent, key, 0)
      const told = decode([header.subarray(0, size), sent], key !== undefined)
      t.same(told, length === 0 ? [] : [`binary ${payload.toString('hex')}`], `${length} bytes`)
    }
  }
  t.end()
})

t.test('masking agrees with the byte-by-byte definition at every alignment and phase', (t) => {
  const key = Uint8Array.of(0x11, 0x22, 0x44, 0x88)
  for (let offset = 0; offset < 8; offset++) {
    for (let phase = 0; phase < 4; phase++) {
      for (let length = 0; length < 20; length++) {
        const bytes = new Uint8Array(randomBytes(40).buffer.slice(0, 40)).subarray(offset, offset + length)
        const expected = bytes.map((byte, index) => byte ^ (key[(phase + index) % 4] ?? 0))
        applyMask(bytes, key, phase)
        t.same(bytes, expected)
      }
    }
  }
  t.end()
})

t.test('random bytes never throw', (t) => {
  let violations = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = randomBytes(1 + (round % 60))
    const cut = round % bytes.length
    violations += decode([bytes.subarray(0, cut), bytes.subarray(cut)], round % 2 === 0).filter((told) =>
      told.startsWith('violation'),
    ).length
  }
  t.ok(violations > 10_000)
  t.end()
})
