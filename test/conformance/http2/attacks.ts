import { NAME } from '../row.ts'
import { block, type Fields, FLAG, frame, TYPE } from './frames.ts'

/** What one visitor sends on a connection of its own, in pieces, for as long as the edge takes it. */
export interface Attack {
  readonly name: string
  /** The CVE, or the section that it breaks. */
  readonly rule: string
  readonly pieces: () => Iterable<Buffer>
  /** The edge ends the connection by itself. */
  readonly ends: boolean
}

const PSEUDO: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/x'],
  [':authority', NAME],
]
const HEAD = block(PSEUDO)
/** The largest that a peer takes without having said more. RFC 9113 §4.2 */
const FULL = Buffer.alloc(16_384)
const MOST = 20_000

function ask(stream: number, flags: number = FLAG.endHeaders | FLAG.endStream): Buffer {
  return frame(TYPE.headers, flags, stream, HEAD)
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

/** `make` so many times, a hundred to a piece; streams are odd. */
function* many(count: number, make: (stream: number) => Buffer): Generator<Buffer> {
  for (let at = 0; at < count; at += 100)
    yield Buffer.concat(Array.from({ length: Math.min(100, count - at) }, (_, index) => make(2 * (at + index) + 1)))
}

function* after(first: Buffer, rest: Iterable<Buffer>): Generator<Buffer> {
  yield first
  yield* rest
}

const reset = (stream: number): Buffer => frame(TYPE.reset, 0, stream, Buffer.from([0, 0, 0, 8]))
const window = (stream: number, by: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(by)
  return frame(TYPE.window, 0, stream, bytes)
}

/** A field of 4,000 bytes that is remembered, then named by one byte again and again. RFC 7541 §6.2.1, §6.1 */
function bomb(): Buffer {
  const value = Buffer.alloc(4000, 'a')
  const entry = Buffer.concat([Buffer.from([0x40, 1]), Buffer.from('b'), Buffer.from([0x7f, 0xa1, 0x1e]), value])
  return Buffer.concat([HEAD, entry, Buffer.alloc(12_000, 0xbe)])
}

/** Known ways to make an HTTP/2 server work or remember for nothing. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'rapid reset',
    rule: 'CVE-2023-44487',
    pieces: () => many(MOST, (stream) => Buffer.concat([ask(stream), reset(stream)])),
    ends: true,
  },
  {
    name: 'resets that the edge is made to send',
    rule: 'CVE-2025-8671',
    pieces: () => many(MOST, (stream) => Buffer.concat([ask(stream, FLAG.endHeaders), window(stream, 0)])),
    ends: true,
  },
  {
    name: 'resets by malformed requests',
    rule: 'RFC 9113 §8.1.1',
    pieces: () => many(MOST, (stream) => frame(TYPE.headers, 5, stream, block([...PSEUDO, ['connection', 'x']]))),
    ends: true,
  },
  {
    name: 'a head that goes on and on',
    rule: 'CVE-2024-27316',
    pieces: () =>
      after(
        ask(1, 0),
        many(2000, () => frame(TYPE.continuation, 0, 1, Buffer.alloc(16_000, 0x82))),
      ),
    ends: true,
  },
  {
    name: 'a head that goes on in empty frames',
    rule: 'CVE-2019-9518',
    pieces: () =>
      after(
        ask(1, 0),
        many(MOST, () => frame(TYPE.continuation, 0, 1)),
      ),
    ends: true,
  },
  {
    name: 'empty data',
    rule: 'CVE-2019-9518',
    pieces: () =>
      after(
        ask(1, FLAG.endHeaders),
        many(MOST, () => frame(TYPE.data, 0, 1)),
      ),
    ends: false,
  },
  {
    name: 'a bomb of compressed fields',
    rule: 'RFC 7541 §7.3',
    pieces: () => many(50, (stream) => frame(TYPE.headers, 5, stream, bomb())),
    ends: false,
  },
  {
    name: 'a table of four gigabytes',
    rule: 'RFC 7541 §6.3',
    pieces: () => [frame(TYPE.headers, 5, 1, Buffer.concat([Buffer.from([0x3f, 0xe0, 0xff, 0xff, 0xff, 0x0f]), HEAD]))],
    ends: true,
  },
  {
    name: 'settings without end',
    rule: 'CVE-2019-9515',
    pieces: () => many(MOST, () => frame(TYPE.settings, 0, 0)),
    ends: true,
  },
  {
    name: 'one frame of 2,000 settings',
    rule: 'CVE-2020-11080',
    pieces: () =>
      many(200, () => frame(TYPE.settings, 0, 0, Buffer.concat(Array.from({ length: 2000 }, () => setting(3, 1))))),
    ends: true,
  },
  {
    name: 'pings without end',
    rule: 'CVE-2019-9512',
    pieces: () => many(MOST, () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
    ends: true,
  },
  {
    name: 'priorities by turns',
    rule: 'CVE-2019-9513',
    pieces: () => many(MOST, (stream) => frame(TYPE.priority, 0, stream, Buffer.from([0, 0, 0, 0, 9]))),
    ends: false,
  },
  {
    name: 'a window past its end',
    rule: 'RFC 9113 §6.9.1',
    pieces: () => [window(0, 0x7fffffff), window(0, 0x7fffffff)],
    ends: true,
  },
  {
    name: 'windows larger than there are',
    rule: 'RFC 9113 §6.5.2',
    pieces: () => [frame(TYPE.settings, 0, 0, setting(4, 0xffffffff))],
    ends: true,
  },
  {
    name: 'frames larger than there are',
    rule: 'RFC 9113 §6.5.2',
    pieces: () => [frame(TYPE.settings, 0, 0, setting(5, 1))],
    ends: true,
  },
  {
    name: 'more requests at once than it takes',
    rule: 'RFC 9113 §5.1.2',
    pieces: () => many(MOST, (stream) => ask(stream, FLAG.endHeaders)),
    ends: true,
  },
  {
    name: 'answers that nobody takes',
    rule: 'CVE-2019-9517',
    pieces: () => [frame(TYPE.settings, 0, 0, setting(4, 0)), ...many(100, (stream) => ask(stream))],
    ends: false,
  },
  {
    name: 'a body past its window',
    rule: 'RFC 9113 §5.2',
    pieces: () =>
      after(
        ask(1, FLAG.endHeaders),
        many(2000, () => frame(TYPE.data, 0, 1, FULL)),
      ),
    ends: true,
  },
  {
    name: 'frames that nobody knows',
    rule: 'RFC 9113 §5.5',
    pieces: () => many(MOST, () => frame(0xbe, 0xff, 0, Buffer.alloc(100))),
    ends: false,
  },
]
