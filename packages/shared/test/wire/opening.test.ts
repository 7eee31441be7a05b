import { isIPv4, isIPv6 } from 'node:net'
import t from 'tap'
import { decodeOpening, type Endpoint, encodeOpening, endpoint, NOWHERE, type Opening } from '../../src/wire/opening.ts'
import { Random, seedOfRun } from '../support/random.ts'

const V4: Endpoint = { family: 4, address: '203.0.113.7', port: 51_820 }
const V6: Endpoint = { family: 6, address: '2001:db8::8:800:200c:417a', port: 443 }

const TABLE: [name: string, opening: Opening, hex: string][] = [
  [
    'IPv4 over IPv4',
    { service: 7, portIndex: 0, protocol: 'http', visitor: V4, public: { family: 4, address: '192.0.2.1', port: 80 } },
    '07000000 0000 01 00  04 cb007107 000000000000000000000000 6cca  04 c0000201 000000000000000000000000 5000',
  ],
  [
    'IPv6 over IPv6, the last port of a range',
    { service: 0xffff_ffff, portIndex: 65_534, protocol: 'tls', visitor: V6, public: { ...V6, port: 65_535 } },
    'ffffffff feff 03 00  06 20010db80000000000080800200c417a bb01  06 20010db80000000000080800200c417a ffff',
  ],
  [
    'nobody, as behind a Unix socket',
    { service: 1, portIndex: 0, protocol: 'udp', visitor: NOWHERE, public: NOWHERE },
    '01000000 0000 04 00  00 00000000000000000000000000000000 0000  00 00000000000000000000000000000000 0000',
  ],
  [
    'the unspecified addresses',
    {
      service: 1,
      portIndex: 1,
      protocol: 'tcp',
      visitor: { family: 6, address: '::', port: 1 },
      public: { family: 4, address: '0.0.0.0', port: 2 },
    },
    '01000000 0100 02 00  06 00000000000000000000000000000000 0100  04 00000000000000000000000000000000 0200',
  ],
]

for (const [name, opening, hex] of TABLE) {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  t.test(`an opening is 46 bytes as drawn: ${name}`, async (t) => {
    t.equal(bytes.length, 46)
    t.equal(Buffer.from(encodeOpening(opening)).toString('hex'), bytes.toString('hex'))
    t.strictSame(decodeOpening(bytes), opening)
    const within = Buffer.concat([Buffer.from('ff'.repeat(3), 'hex'), bytes, Buffer.alloc(2)]).subarray(3, 49)
    t.strictSame(decodeOpening(within), opening, 'also as a slice of a larger buffer')
  })
}

t.test('an opening that is none is a violation of the protocol', async (t) => {
  const good = encodeOpening({ service: 1, portIndex: 0, protocol: 'http', visitor: V4, public: V6 })
  const changed = (at: number, byte: number): Uint8Array => {
    const bytes = Uint8Array.from(good)
    bytes[at] = byte
    return bytes
  }
  const bad: [string, Uint8Array][] = [
    ['empty', good.subarray(0, 0)],
    ['one byte short', good.subarray(0, 45)],
    ['one byte long', Buffer.concat([good, Buffer.alloc(1)])],
    ['protocol 0', changed(6, 0)],
    ['protocol 5', changed(6, 5)],
    ['protocol 255', changed(6, 255)],
    ['visitor of family 5', changed(8, 5)],
    ['public of family 46', changed(27, 46)],
  ]
  for (const [name, bytes] of bad) t.throws(() => decodeOpening(bytes), { code: 'PROTOCOL_VIOLATION' }, name)
})

const ADDRESSES: [text: string, family: number, address: string][] = [
  ['198.51.100.9', 4, '198.51.100.9'],
  ['::ffff:198.51.100.9', 4, '198.51.100.9'],
  ['::FFFF:198.51.100.9', 4, '198.51.100.9'],
  ['::ffff:c633:6409', 4, '198.51.100.9'],
  ['0:0:0:0:0:ffff:c633:6409', 4, '198.51.100.9'],
  ['0:0:0:0:0:ffff:198.51.100.9', 4, '198.51.100.9'],
  ['2001:DB8:0:0:8:800:200C:417A', 6, '2001:db8::8:800:200c:417a'],
  ['fe80::1%eth0', 6, 'fe80::1'],
  ['::1', 6, '::1'],
  ['::', 6, '::'],
  ['1::', 6, '1::'],
  ['2001:0:0:1:0:0:0:1', 6, '2001:0:0:1::1'],
  ['2001:db8:0:1:1:1:1:1', 6, '2001:db8:0:1:1:1:1:1'],
  ['64:ff9b::192.0.2.33', 6, '64:ff9b::c000:221'],
]

for (const [text, family, address] of ADDRESSES) {
  t.test(`O2 ${text} is written as ${address}`, async (t) => {
    t.match(endpoint(text, 99), { family, address, port: 99 })
  })
}

t.test('what is no address is nowhere', async (t) => {
  for (const text of [
    undefined,
    '',
    'localhost',
    '1.2.3',
    '1.2.3.256',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
    '12345::',
    'g::',
    '01.2.3.4',
    '1.2.3.4::',
    '::1.2.3',
  ]) {
    t.equal(endpoint(text, 1).family, 0, String(text))
  }
})

t.test('O2 an IPv4-mapped address on the wire is read as IPv4', async (t) => {
  const opening = { service: 1, portIndex: 0, protocol: 'http', visitor: V6, public: V4 } as const
  const bytes = encodeOpening(opening)
  bytes.set(Buffer.from('00000000000000000000ffffc6336409', 'hex'), 9)
  t.match(decodeOpening(bytes).visitor, { family: 4, address: '198.51.100.9', port: V6.port })
})

t.test('every address survives the wire, in the text form that Node uses', async (t) => {
  const seed = seedOfRun()
  const random = new Random(seed)
  for (let round = 0; round < 2000; round++) {
    // Runs of zeros on purpose: they are what makes IPv6 text hard.
    const groups = Array.from({ length: 8 }, () => (random.chance(50) ? 0 : random.below(65_536)).toString(16))
    const host = new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
    if (host.startsWith('::ffff:')) continue
    const visitor = endpoint(groups.join(':'), random.below(65_536))
    const dotted = endpoint([random.below(256), random.below(256), random.below(256), random.below(256)].join('.'), 1)
    const opening = {
      service: random.next(),
      portIndex: random.below(65_536),
      protocol: 'tcp',
      visitor,
      public: dotted,
    } as const
    const back = decodeOpening(encodeOpening(opening))
    if (back.visitor.address === host && isIPv6(host) && isIPv4(dotted.address)) {
      if (JSON.stringify(back) === JSON.stringify(opening)) continue
    }
    t.fail(`seed ${seed}: ${JSON.stringify(opening)} came back as ${JSON.stringify(back)}, and a URL says ${host}`)
    return
  }
})
