import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import t from 'tap'
import { type RequestFields, type RequestHead, readRequestHead } from '../../src/http1/request-head.ts'
import { LONG } from '../support/patience.ts'
import { mutate, random } from './mutated.ts'

const LIMITS = { fields: 100, most: 16 * 1024 }
const HOST = 'Host: blog.example.com\r\n'
const read = (text: string): RequestHead | string => readRequestHead(Buffer.from(text, 'latin1'), LIMITS)

t.test('a plain head is read as it stands', (t) => {
  const text = `POST /a/b?c=%20d HTTP/1.1\r\n${HOST}Content-Length: 5\r\nX-Odd:\t a "b" \xe9 \r\nEmpty:\r\nConnection: Close\r\n\r\n`
  t.strictSame(read(`${text}hello`), {
    method: 'POST',
    url: '/a/b?c=%20d',
    fields: {
      text: new Uint8Array(Buffer.from(text.slice(text.indexOf('\n') + 1), 'latin1')),
      raw: [
        'Host',
        'blog.example.com',
        'Content-Length',
        '5',
        'X-Odd',
        'a "b" \xe9',
        'Empty',
        '',
        'Connection',
        'Close',
      ],
      length: 5,
      last: true,
    },
    bytes: text.length,
  })
  t.end()
})

t.test('fields that are known are known by every byte of them', (t) => {
  const fields = `${HOST}Content-Length: 5\r\nCookie: a=b\r\n\r\n`
  const { fields: known } = read(`POST /a HTTP/1.1\r\n${fields}`) as RequestHead
  const again = (text: string): RequestHead | string =>
    readRequestHead(Buffer.from(text, 'latin1'), { ...LIMITS, known })
  const next = again(`PUT /b HTTP/1.1\r\n${fields}hello`) as RequestHead
  t.equal(next.fields, known)
  t.strictSame([next.method, next.url, next.bytes], ['PUT', '/b', 17 + fields.length])
  t.equal(again(`GET /b HTTP/1.1\r\n${fields}hello`), 'other', 'a body where there is none, for this method')
  for (let at = 0; at < fields.length; at++) {
    const text = `PUT /b HTTP/1.1\r\n${fields.slice(0, at)}${fields[at] === 'x' ? 'y' : 'x'}${fields.slice(at + 1)}`
    t.strictSame(again(text), read(text), `another byte at ${at}`)
    t.equal(again(`PUT /b HTTP/1.1\r\n${fields.slice(0, at)}`), 'more', `no more than ${at} bytes`)
  }
  const tight = { fields: 100, most: fields.length, known }
  t.equal(readRequestHead(Buffer.from(`PUT /b HTTP/1.1\r\n${fields}`), tight), 'other', 'a head too long')
  t.end()
})

t.test('every beginning of a plain head waits for more', (t) => {
  const text = `OPTIONS /x HTTP/1.1\r\n${HOST}Accept: */*\r\n\r\n`
  for (let length = 0; length < text.length; length++) t.equal(read(text.slice(0, length)), 'more', String(length))
  t.match(read(text), { method: 'OPTIONS' })
  t.end()
})

const OTHERS: readonly (readonly [name: string, head: string])[] = [
  ['a method of few', `LINK / HTTP/1.1\r\n${HOST}\r\n`],
  ['a lower-case method', `get / HTTP/1.1\r\n${HOST}\r\n`],
  ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`],
  ['an empty line first', `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`],
  ['absolute-form', `GET http://a/ HTTP/1.1\r\n${HOST}\r\n`],
  ['asterisk-form', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
  ['a fragment', `GET /a#b HTTP/1.1\r\n${HOST}\r\n`],
  ['a target that is not ASCII', `GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`],
  ['two spaces', `GET  / HTTP/1.1\r\n${HOST}\r\n`],
  ['a space at the line’s end', `GET / HTTP/1.1 \r\n${HOST}\r\n`],
  ['HTTP/1.0', `GET / HTTP/1.0\r\n${HOST}\r\n`],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['a bare LF', `GET / HTTP/1.1\n${HOST}\r\n`],
  ['a bare LF behind a field', `GET / HTTP/1.1\r\nA: b\n${HOST}\r\n`],
  ['a bare LF at the end', `GET / HTTP/1.1\r\n${HOST}\n`],
  ['a bare CR', `GET / HTTP/1.1\r\nA: b\rc\r\n${HOST}\r\n`],
  ['a NUL', `GET / HTTP/1.1\r\nA: b\0\r\n${HOST}\r\n`],
  ['a folded line', `GET / HTTP/1.1\r\nA: b\r\n c\r\n${HOST}\r\n`],
  ['a folded first line', `GET / HTTP/1.1\r\n A: b\r\n${HOST}\r\n`],
  ['a space before the colon', `GET / HTTP/1.1\r\nA : b\r\n${HOST}\r\n`],
  ['no name', `GET / HTTP/1.1\r\n: b\r\n${HOST}\r\n`],
  ['no colon', `GET / HTTP/1.1\r\nA\r\n${HOST}\r\n`],
  ['an underscore', `GET / HTTP/1.1\r\nA_B: c\r\n${HOST}\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
  ['chunks', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`],
  ['a tab behind a value', `GET / HTTP/1.1\r\n${HOST}X-Odd: a\t\r\n\r\n`],
  ['both lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['two equal lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
  ['a list of lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1, 1\r\n\r\n`],
  ['a signed length', `POST / HTTP/1.1\r\n${HOST}Content-Length: +1\r\n\r\n`],
  ['a length with a zero ahead', `POST / HTTP/1.1\r\n${HOST}Content-Length: 010\r\n\r\n`],
  ['no length in its field', `POST / HTTP/1.1\r\n${HOST}Content-Length:\r\n\r\n`],
  ['a length past all counting', `POST / HTTP/1.1\r\n${HOST}Content-Length: 9999999999999999\r\n\r\n`],
  ['a GET with a body', `GET / HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\n`],
  ['an upgrade', `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
  ['an expectation', `PUT / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`],
  ['named hop fields', `GET / HTTP/1.1\r\n${HOST}Connection: close, x\r\n\r\n`],
  ['two Connections', `GET / HTTP/1.1\r\n${HOST}Connection: close\r\nConnection: close\r\n\r\n`],
  ['too many fields', `GET / HTTP/1.1\r\n${HOST}${'A: b\r\n'.repeat(100)}\r\n`],
  ['too long a field', `GET / HTTP/1.1\r\n${HOST}A: ${'b'.repeat(17_000)}\r\n\r\n`],
  ['too long a target', `GET /${'b'.repeat(17_000)}`],
  ['endless fields', `GET / HTTP/1.1\r\n${HOST}A: ${'b'.repeat(17_000)}`],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
]

for (const [name, head] of OTHERS) t.equal(read(head), 'other', `${name} is for another parser`)

/** What Node's parser, as the edge sets it, makes of the first request. */
class Peer extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
  }
}
const server = createServer({
  insecureHTTPParser: false,
  requireHostHeader: false,
  joinDuplicateHeaders: false,
  requestTimeout: 0,
})
server.maxHeadersCount = 0
let heard: IncomingMessage | string = 'nothing'
const hear = (request: IncomingMessage, response?: ServerResponse): void => {
  if (heard === 'nothing') heard = request
  response?.on('error', () => {})
}
server.on('request', hear)
for (const event of ['checkContinue', 'checkExpectation', 'upgrade', 'connect']) server.on(event, () => (heard = event))
server.on('clientError', (error: Error, socket: Duplex) => {
  if (heard === 'nothing') heard = error.message
  socket.destroy()
})

function byNode(bytes: Buffer): IncomingMessage | string {
  heard = 'nothing'
  const peer = new Peer()
  server.emit('connection', peer)
  // Its parser is fed in this turn.
  peer.emit('data', bytes)
  const result = heard
  peer.destroy()
  return result
}

const SEEDS: readonly string[] = [
  `GET /a?b=c HTTP/1.1\r\n${HOST}Accept: */*\r\nUser-Agent: x/1 (y; z)\r\nCookie: a=b; c="d"\r\n\r\n`,
  `POST /b HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello`,
  `HEAD /c HTTP/1.1\r\nAccept-Language: ja,en;q=0.5\r\n${HOST}Connection: close\r\n\r\n`,
  `DELETE /d%20/../e HTTP/1.1\r\nX-Y: \t z \r\n${HOST}\r\n`,
]
const MANY = LONG ? 3_000_000 : 100_000

t.test(`of ${MANY} mutated heads those that are taken are what Node reads`, (t) => {
  const pick = random(20_261_122)
  let taken = 0
  let differences = 0
  let known: RequestFields | undefined
  let repeated = 0
  for (let count = 0; count < MANY; count++) {
    const text = mutate(SEEDS[pick(SEEDS.length)] ?? '', pick)
    const bytes = Buffer.from(text, 'latin1')
    const head = readRequestHead(bytes, LIMITS)
    const again = readRequestHead(bytes, { ...LIMITS, known })
    if (typeof head === 'string' || typeof again === 'string') {
      if (head !== again) differences++
      continue
    }
    if (again.fields === known) repeated++
    known = head.fields
    taken++
    const node = byNode(bytes)
    const same =
      typeof node !== 'string' &&
      node.method === head.method &&
      node.url === head.url &&
      node.httpVersion === '1.1' &&
      node.rawHeaders.join('\n') === head.fields.raw.join('\n') &&
      Buffer.compare(head.fields.text, again.fields.text) === 0 &&
      Number(node.headers['content-length'] ?? 0) === head.fields.length &&
      node.headers['transfer-encoding'] === undefined &&
      (node.headers.connection?.toLowerCase() === 'close') === head.fields.last
    if (same) continue
    differences++
    t.comment(JSON.stringify(text), typeof node === 'string' ? node : 'differs')
  }
  t.equal(differences, 0)
  t.ok(taken > MANY / 50, `${taken} were taken`)
  t.ok(repeated > 0, `${repeated} had the fields of the one before`)
  t.comment(`${taken} of ${MANY} were taken, ${repeated} of them with fields that were known`)
  t.end()
})
