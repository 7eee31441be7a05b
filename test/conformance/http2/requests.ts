import { NAME, SMUGGLED } from '../row.ts'
import type { Outcome } from './ask.ts'
import { block, type Fields, FLAG, frame, TYPE } from './frames.ts'

/** One request on stream 1 of a connection of its own. */
export interface Http2Row {
  readonly name: string
  readonly rule: string
  readonly frames: readonly Buffer[]
  readonly outcome: Outcome
  /** As in `Row`. */
  readonly sees: readonly string[]
  readonly fields?: Readonly<Record<string, string | undefined>>
}

const PSEUDO: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/x'],
  [':authority', NAME],
]

/** The usual pseudo-fields; undefined leaves one out. */
function pseudo(changed: Readonly<Record<string, string | undefined>>): Fields {
  return PSEUDO.map(([name, value]) => [name, name in changed ? changed[name] : value] as const).flatMap(
    ([name, value]) => (value === undefined ? [] : [[name, value] as const]),
  )
}

function headers(fields: Fields, ends: boolean): Buffer {
  return frame(TYPE.headers, FLAG.endHeaders | (ends ? FLAG.endStream : 0), 1, block(fields))
}

function data(text: string, ends = true): Buffer {
  return frame(TYPE.data, ends ? FLAG.endStream : 0, 1, Buffer.from(text, 'latin1'))
}

const get = (fields: Fields): Buffer[] => [headers(fields, true)]
const post = (fields: Fields, body: string): Buffer[] => [
  headers([...pseudo({ ':method': 'POST', ':path': '/p' }), ...fields], false),
  data(body),
]

function refused(name: string, rule: string, frames: readonly Buffer[], outcome: Outcome = 'refused'): Http2Row {
  return { name, rule, frames, outcome, sees: [] }
}

function passed(
  name: string,
  rule: string,
  frames: readonly Buffer[],
  sees: readonly string[],
  fields?: Http2Row['fields'],
): Http2Row {
  return { name, rule, frames, outcome: 200, sees, ...(fields && { fields }) }
}

const withPseudo = (
  name: string,
  rule: string,
  changed: Record<string, string | undefined>,
  outcome?: Outcome,
): Http2Row => refused(name, rule, get(pseudo(changed)), outcome)
const withField = (name: string, rule: string, field: string, value: string, outcome?: Outcome): Http2Row =>
  refused(name, rule, get([...PSEUDO, [field, value]]), outcome)

/** nghttp2 leaves such a field out where §8.2.1 would refuse the whole request, and Node has no say in it: nothing of it may get through. */
const dropped = (name: string, field: string, value: string): Http2Row => {
  const row = passed(name, 'RFC 9113 §8.2.1', get([...PSEUDO, [field, value]]), ['GET /x'])
  return {
    ...row,
    fields: { x: undefined, 'x y': undefined, '': undefined, 'transfer-encoding': undefined, host: NAME },
  }
}

/** RFC 9113 §8: heads. What an HTTP/1.1 service would be told by them stands behind each trick. */
const HEADS: readonly Http2Row[] = [
  passed('a plain GET', 'RFC 9113 §8.3.1', get(PSEUDO), ['GET /x'], { host: NAME, 'x-forwarded-proto': 'https' }),
  passed('Host beside :authority, equal', 'RFC 9113 §8.3.1', get([...PSEUDO, ['host', NAME]]), ['GET /x']),
  refused('Host beside :authority, another', 'RFC 9113 §8.3.1', get([...PSEUDO, ['host', 'other.tunnel.test']])),
  refused('two Hosts', 'RFC 9113 §8.3.1', get([...PSEUDO, ['host', NAME], ['host', NAME]])),
  passed('Host without :authority', 'RFC 9113 §8.3.1', get([...pseudo({ ':authority': undefined }), ['host', NAME]]), [
    'GET /x',
  ]),
  withPseudo('neither', 'RFC 9113 §8.3.1', { ':authority': undefined }),
  withPseudo('an empty :authority', 'RFC 9113 §8.3.1', { ':authority': '' }),
  withPseudo('no :method', 'RFC 9113 §8.3.1', { ':method': undefined }),
  withPseudo('no :path', 'RFC 9113 §8.3.1', { ':path': undefined }),
  withPseudo('no :scheme', 'RFC 9113 §8.3.1', { ':scheme': undefined }),
  ...[':method', ':path', ':scheme', ':authority'].map((name) =>
    withField(`two ${name}`, 'RFC 9113 §8.3', name, PSEUDO.find(([known]) => known === name)?.[1] ?? ''),
  ),
  withField('a pseudo-field that nobody knows', 'RFC 9113 §8.3', ':x', 'y'),
  withField('a pseudo-field of answers', 'RFC 9113 §8.3', ':status', '200'),
  refused('a pseudo-field behind others', 'RFC 9113 §8.3', get([['x', 'y'], ...PSEUDO])),
  refused('a second :path behind others', 'RFC 9113 §8.3', get([...PSEUDO, ['x', 'y'], [':path', '/smuggled']])),
  withPseudo('another :scheme', 'RFC 9113 §8.3.1', { ':scheme': 'http' }),
  withPseudo('a :scheme that carries a target', 'RFC 9113 §8.3.1', { ':scheme': 'https://other.tunnel.test/?' }),
  withPseudo('an empty :path', 'RFC 9113 §8.3.1', { ':path': '' }),
  withPseudo('a :path without its slash', 'RFC 9113 §8.3.1', { ':path': 'x' }),
  withPseudo('* for GET', 'RFC 9113 §8.3.1', { ':path': '*' }),
  withPseudo('* for OPTIONS', 'RFC 9110 §7.1', { ':path': '*', ':method': 'OPTIONS' }, 400),
  withPseudo('a blank in :path', 'RFC 9113 §8.3.1', { ':path': '/x HTTP/1.1' }),
  withPseudo('a whole request in :path', 'RFC 9113 §8.2.1', {
    ':path': `/x HTTP/1.1\r\nHost: ${NAME}\r\n\r\n${SMUGGLED}`,
  }),
  withPseudo('CRLF in :path', 'RFC 9113 §8.2.1', { ':path': '/x\r\nx: y' }),
  withPseudo('NUL in :path', 'RFC 9113 §8.2.1', { ':path': '/x\0' }),
  withPseudo('a fragment in :path', 'RFC 9112 §3.2.1', { ':path': '/x#y' }, 400),
  withPseudo('a byte above ASCII in :path', 'RFC 3986 §2', { ':path': '/\xfc' }, 400),
  withPseudo('an absolute :path', 'RFC 9113 §8.3.1', { ':path': `http://${NAME}/x` }),
  withPseudo('a :method with a target', 'RFC 9113 §8.2.1', { ':method': 'GET /smuggled HTTP/1.1\r\n\r\nGET' }),
  withPseudo('a :method with a blank', 'RFC 9110 §9.1', { ':method': 'GET /smuggled' }),
  withPseudo('a :method in lower case', 'RFC 9110 §9.1', { ':method': 'get' }, 400),
  withPseudo('an unknown :method', 'RFC 9110 §9.1', { ':method': 'FROB' }, 400),
  withPseudo('TRACE', 'RFC 9110 §9.3.8', { ':method': 'TRACE' }, 405),
  withPseudo('CONNECT with a path', 'RFC 9113 §8.5', { ':method': 'CONNECT' }),
  withPseudo('CONNECT', 'RFC 9113 §8.5', { ':method': 'CONNECT', ':path': undefined, ':scheme': undefined }),
  withPseudo('userinfo in :authority', 'RFC 9113 §8.3.1', { ':authority': `user@${NAME}` }, 'refused'),
  withPseudo('a path in :authority', 'RFC 9113 §8.3.1', { ':authority': `${NAME}/smuggled` }, 'refused'),
  withPseudo('CRLF in :authority', 'RFC 9113 §8.2.1', { ':authority': `${NAME}\r\nx: y` }),
  withPseudo('a port too high', 'RFC 3986 §3.2.3', { ':authority': `${NAME}:65536` }, 400),
  withPseudo('the authority of another name', 'RFC 9110 §15.5.20', { ':authority': 'other.tunnel.test' }, 421),
  withField('a name in capitals', 'RFC 9113 §8.2.1', 'X-Y', 'z'),
  dropped('a blank in a name', 'x y', 'z'),
  dropped('a colon in a name', 'x: y\r\nz', 'z'),
  dropped('a name that smuggles a field', 'transfer-encoding: chunked\r\nx', 'y'),
  dropped('an empty name', '', 'z'),
  dropped('a name of a byte above ASCII', 'x\xe9', 'z'),
  dropped('CRLF in a value', 'x', 'y\r\ntransfer-encoding: chunked'),
  dropped('LF in a value', 'x', 'y\nhost: other.tunnel.test'),
  dropped('CR in a value', 'x', 'y\rz'),
  dropped('NUL in a value', 'x', 'y\0z'),
  withField('H2.TE: chunked', 'RFC 9113 §8.2.2', 'transfer-encoding', 'chunked'),
  withField('connection', 'RFC 9113 §8.2.2', 'connection', 'x-forwarded-for'),
  withField('keep-alive', 'RFC 9113 §8.2.2', 'keep-alive', 'timeout=9'),
  withField('proxy-connection', 'RFC 9113 §8.2.2', 'proxy-connection', 'keep-alive'),
  withField('upgrade', 'RFC 9113 §8.2.2', 'upgrade', 'websocket'),
  withField('te: gzip', 'RFC 9113 §8.2.2', 'te', 'gzip'),
  passed('te: trailers', 'RFC 9113 §8.2.2', get([...PSEUDO, ['te', 'trailers']]), ['GET /x'], { te: undefined }),
  withField('an alias', 'promises', 'x_forwarded_for', '6.6.6.6', 400),
  withField('an odd expectation', 'RFC 9110 §10.1.1', 'expect', '200-maybe', 400),
  withField('a head too large', 'RFC 9113 §10.5.1', 'x', 'y'.repeat(16_000) + 'y'.repeat(1000)),
  passed(
    'forging',
    'promises',
    get([
      ...PSEUDO,
      ['x-forwarded-for', '6.6.6.6'],
      ['forwarded', 'for=6.6.6.6'],
      ['x-real-ip', '6.6.6.6'],
      ['proxy', 'x'],
    ]),
    ['GET /x'],
    { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', proxy: undefined, via: '2.0 engawa' },
  ),
  passed('cookies in crumbs', 'RFC 9113 §8.2.3', get([...PSEUDO, ['cookie', 'a=1'], ['cookie', 'b=2']]), ['GET /x'], {
    cookie: 'a=1; b=2',
  }),
  passed(
    'a head in two frames',
    'RFC 9113 §4.3',
    [
      frame(TYPE.headers, FLAG.endStream, 1, block(PSEUDO).subarray(0, 20)),
      frame(TYPE.continuation, FLAG.endHeaders, 1, block(PSEUDO).subarray(20)),
    ],
    ['GET /x'],
  ),
]

/** RFC 9113 §8.1.1: bodies. The downgrade must frame what the frames said, never what a field said. */
const BODIES: readonly Http2Row[] = [
  passed('a body without a length', 'RFC 9113 §8.1.1', post([], 'hello'), ['POST /p +5'], {
    'transfer-encoding': 'chunked',
    'content-length': undefined,
  }),
  passed('a body with its length', 'RFC 9113 §8.1.1', post([['content-length', '5']], 'hello'), ['POST /p +5'], {
    'transfer-encoding': undefined,
    'content-length': '5',
  }),
  passed(
    'a length, and trailers announced',
    'RFC 9110 §6.6.2',
    [
      headers([...pseudo({ ':method': 'POST', ':path': '/p' }), ['content-length', '5'], ['trailer', 'x-sum']], false),
      data('hello', false),
      headers([['x-sum', '1']], true),
    ],
    ['POST /p +5'],
    { 'transfer-encoding': 'chunked', 'content-length': undefined, trailer: 'x-sum' },
  ),
  passed('an empty body', 'RFC 9113 §8.1.1', post([], ''), ['POST /p']),
  passed('an empty body of length nought', 'RFC 9113 §8.1.1', post([['content-length', '0']], ''), ['POST /p']),
  passed('a request for a body', 'RFC 9113 §8.1.1', post([], SMUGGLED), [`POST /p +${SMUGGLED.length}`]),
  passed(
    'a GET with a body',
    'RFC 9110 §9.3.1',
    [headers(PSEUDO, false), data(SMUGGLED)],
    [`GET /x +${SMUGGLED.length}`],
  ),
  refused('H2.CL: nought, and a request', 'RFC 9113 §8.1.1', post([['content-length', '0']], SMUGGLED)),
  refused('H2.CL: too short', 'RFC 9113 §8.1.1', post([['content-length', '5']], `hello${SMUGGLED}`)),
  refused('H2.CL: too long', 'RFC 9113 §8.1.1', post([['content-length', '50']], 'hello')),
  refused('a length and no body', 'RFC 9113 §8.1.1', get([...pseudo({ ':method': 'POST' }), ['content-length', '5']])),
  refused(
    'two lengths',
    'RFC 9110 §8.6',
    post(
      [
        ['content-length', '5'],
        ['content-length', '0'],
      ],
      'hello',
    ),
  ),
  refused(
    'twice the same length',
    'promises',
    post(
      [
        ['content-length', '5'],
        ['content-length', '5'],
      ],
      'hello',
    ),
  ),
  refused('a list of lengths', 'RFC 9110 §8.6', post([['content-length', '5, 5']], 'hello')),
  refused('a signed length', 'RFC 9110 §8.6', post([['content-length', '+5']], 'hello')),
  refused('a hex length', 'RFC 9110 §8.6', post([['content-length', '0x5']], 'hello')),
  refused('H2.TE with a body', 'RFC 9113 §8.2.2', post([['transfer-encoding', 'chunked']], `0\r\n\r\n${SMUGGLED}`)),
  refused('H2.TE, a list', 'RFC 9113 §8.2.2', post([['transfer-encoding', 'gzip, chunked']], `0\r\n\r\n${SMUGGLED}`)),
  refused('a body that is taken back', 'RFC 9113 §5.4.2', [
    ...post([], '').slice(0, 1),
    data('hello', false),
    frame(TYPE.reset, 0, 1, Buffer.from([0, 0, 0, 8])),
    frame(TYPE.goaway, 0, 0, Buffer.alloc(8)),
  ]),
  refused('a body that is taken back without a reason', 'RFC 9113 §5.4.2', [
    ...post([], '').slice(0, 1),
    data('hello', false),
    frame(TYPE.reset, 0, 1, Buffer.alloc(4)),
    frame(TYPE.goaway, 0, 0, Buffer.alloc(8)),
  ]),
  refused('data behind the end', 'RFC 9113 §5.1', [...post([], 'hello'), data(SMUGGLED)]),
  refused('data before a head', 'RFC 9113 §5.1', [data('hello')]),
  passed(
    'trailers',
    'RFC 9113 §8.1',
    [...post([], '').slice(0, 1), data('hello', false), headers([['x-sum', '1']], true)],
    ['POST /p +5'],
  ),
  passed(
    'trailers that forge',
    'RFC 9110 §6.5.1',
    [
      ...post([], '').slice(0, 1),
      data('hello', false),
      headers(
        [
          ['x-forwarded-for', '6.6.6.6'],
          ['host', 'other.tunnel.test'],
          ['x_real_ip', '6'],
        ],
        true,
      ),
    ],
    ['POST /p +5'],
  ),
  refused('a pseudo-field in trailers', 'RFC 9113 §8.1', [
    ...post([], '').slice(0, 1),
    data('hello', false),
    headers([[':path', '/smuggled']], true),
  ]),
  refused('trailers that do not end', 'RFC 9113 §8.1', [
    ...post([], '').slice(0, 1),
    data('hello', false),
    headers([['x-sum', '1']], false),
  ]),
  refused('a frame of an odd stream', 'RFC 9113 §5.1.1', [frame(TYPE.headers, 5, 2, block(PSEUDO))]),
  refused('a frame longer than allowed', 'RFC 9113 §4.2', [frame(TYPE.data, 0, 1, Buffer.alloc(20_000))]),
  refused('a block that means nothing', 'RFC 9113 §4.3', [frame(TYPE.headers, 5, 1, Buffer.from([0x80, 0xff, 0xff]))]),
]

export const HTTP2_REQUESTS: Readonly<Record<string, readonly Http2Row[]>> = { heads: HEADS, bodies: BODIES }
