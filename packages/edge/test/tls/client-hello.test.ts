import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { connect } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { type ClientHello, HelloReader } from '../../src/tls/client-hello.ts'

type Result = ReturnType<HelloReader['push']>

const u16 = (value: number): number[] => [value >> 8, value & 0xff]
const sized = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes]
const extension = (type: number, data: readonly number[]): number[] => [...u16(type), ...sized(data)]
const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')]
const sni = (name: string): number[] => extension(0, sized([0, ...sized(ascii(name))]))
const alpn = (...names: string[]): number[] =>
  extension(16, sized(names.flatMap((name) => [name.length, ...ascii(name)])))

function message(extensions: readonly number[] | undefined): number[] {
  const body = [
    3,
    3,
    ...Array.from({ length: 32 }, () => 9),
    0,
    ...sized([0x13, 0x01]),
    1,
    0,
    ...(extensions === undefined ? [] : sized(extensions)),
  ]
  return [1, body.length >> 16, ...u16(body.length & 0xffff), ...body]
}

/** As records of at most `most` bytes. */
function records(bytes: readonly number[], most = 16_384): Uint8Array {
  const out: number[] = []
  for (let at = 0; at < bytes.length; at += most) out.push(22, 3, 1, ...sized(bytes.slice(at, at + most)))
  return Uint8Array.from(out)
}

function read(...parts: Uint8Array[]): Result {
  const reader = new HelloReader()
  let result: Result = 'more'
  for (const part of parts) if (result === 'more') result = reader.push(part)
  return result
}

const HELLO = records(message([...extension(10, [0, 0]), ...sni('Blog.Example.com'), ...alpn('h2', 'http/1.1')]))
const MEANT: ClientHello = { serverName: 'blog.example.com', protocols: ['h2', 'http/1.1'] }

t.test('table', async (t) => {
  const rows: [name: string, bytes: Uint8Array, expected: Result][] = [
    ['server name and protocols', HELLO, MEANT],
    ['no extension at all', records(message(undefined)), { serverName: undefined, protocols: [] }],
    ['no server name', records(message(alpn('h2'))), { serverName: undefined, protocols: ['h2'] }],
    ['a final dot', records(message(sni('a.example.'))), { serverName: 'a.example', protocols: [] }],
    ['across records of one byte', records(message(sni('a.example')), 1), { serverName: 'a.example', protocols: [] }],
    [
      'post-quantum size',
      records(
        message([
          ...extension(
            51,
            Array.from({ length: 60_000 }, () => 1),
          ),
          ...sni('a.example'),
        ]),
      ),
      { serverName: 'a.example', protocols: [] },
    ],
    ['an empty record', Uint8Array.of(22, 3, 1, 0, 0), 'invalid'],
    ['a record too long', Uint8Array.of(22, 3, 1, 0x40, 1), 'invalid'],
    ['an alert', Uint8Array.of(21, 3, 1, 0, 2, 1, 0), 'invalid'],
    ['plain HTTP', Uint8Array.from(ascii('GET / HTTP/1.1')), 'invalid'],
    ['SSLv2', Uint8Array.of(0x80, 0x2e, 1, 0, 2), 'invalid'],
    ['another handshake message', records([2, 0, 0, 1, 0]), 'invalid'],
    ['longer than allowed', records([1, 1, 0, 1]), 'invalid'],
    ['trailing bytes', records([...message(sni('a')), 0]), 'invalid'],
    ['an extension twice', records(message([...sni('a'), ...sni('b')])), 'invalid'],
    ['an IPv6 address as a name', records(message(sni('[::1]'))), 'invalid'],
    ['NUL in the name', records(message(sni('a\0b'))), 'invalid'],
    ['an empty name', records(message(sni(''))), 'invalid'],
    ['a name too long', records(message(sni(`${'a.'.repeat(130)}b`))), 'invalid'],
    ['an extension past the end', records(message([0, 0, 0, 9, 0])), 'invalid'],
    ['nothing yet', new Uint8Array(), 'more'],
  ]
  for (const [name, bytes, expected] of rows) t.strictSame(read(bytes), expected, name)
})

t.test('split at every offset, and byte by byte', async (t) => {
  for (let at = 0; at <= HELLO.length; at++) t.strictSame(read(HELLO.subarray(0, at), HELLO.subarray(at)), MEANT)
  t.strictSame(read(...Array.from(HELLO, (byte) => Uint8Array.of(byte))), MEANT)
  for (let at = 0; at < HELLO.length; at++) t.equal(read(HELLO.subarray(0, at)), 'more')
})

t.test('random and damaged bytes never throw, and an endless hello ends', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      read(bytes)
      read(Uint8Array.from([22, 3, 1, ...sized([1, 0, 0, bytes.length, ...bytes])]))
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(fc.nat(HELLO.length - 1), fc.nat(255), (at, value) => {
      const damaged = Uint8Array.from(HELLO)
      damaged[at] = value
      read(damaged)
    }),
    { numRuns: 5000 },
  )
  const endless = Array.from({ length: 20_000 }, () => Uint8Array.of(22, 3, 1, 0, 1, 1))
  t.equal(read(Uint8Array.of(22, 3, 1, 0, 4, 1, 0, 255, 255), ...endless), 'invalid')
})

t.test('a real hello of this Node', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: 'nas.example.org',
    ALPNProtocols: ['h2'],
  })
  client.on('error', () => {})
  const [socket] = await accepted
  const [bytes] = await once(socket, 'data')
  t.strictSame(read(bytes), { serverName: 'nas.example.org', protocols: ['h2'] })
  socket.destroy()
  server.close()
})
