import { good, post, type Row, SMUGGLED, torn } from '../row.ts'

const END = '0\r\n\r\n'
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body)
const CHUNK = '5\r\nhello\r\n'

/** What comes behind the broken place is a request that must not be served. */
const broken = (name: string, rule: string, body: string): Row => torn(name, rule, chunked(body + SMUGGLED))
const trailer = (line: string): string => chunked(`${CHUNK}0\r\n${line}\r\n\r\n`)

/** RFC 9112 §7.1 */
export const CHUNKS: readonly Row[] = [
  good('chunks', 'RFC 9112 §7.1', chunked(`${CHUNK}${CHUNK}${END}`), ['POST /p +10']),
  good('a hex size', 'RFC 9112 §7.1', chunked(`A\r\nhellohello\r\n${END}`), ['POST /p +10']),
  good('a size with zeros first', 'RFC 9112 §7.1', chunked(`0005\r\nhello\r\n${END}`), ['POST /p +5']),
  good('a last chunk of several zeros', 'RFC 9112 §7.1', chunked(`${CHUNK}000\r\n\r\n`), ['POST /p +5']),
  good('an extension', 'RFC 9112 §7.1.1', chunked(`5;a=b\r\nhello\r\n${END}`), ['POST /p +5']),
  good('a quoted extension', 'RFC 9112 §7.1.1', chunked(`5;a="b;\\"c"\r\nhello\r\n${END}`), ['POST /p +5']),
  good('a request behind the last chunk', 'RFC 9112 §9.3', chunked(END) + SMUGGLED.replace('smuggled', 'second'), [
    'POST /p',
    'GET /second',
  ]),
  broken('0x', 'RFC 9112 §7.1', `0x5\r\nhello\r\n${END}`),
  broken('minus', 'RFC 9112 §7.1', `-5\r\nhello\r\n${END}`),
  broken('plus', 'RFC 9112 §7.1', `+5\r\nhello\r\n${END}`),
  broken('a blank before the size', 'RFC 9112 §7.1', ` 5\r\nhello\r\n${END}`),
  broken('a blank behind the size', 'RFC 9112 §7.1.1', `5 \r\nhello\r\n${END}`),
  broken('a tab behind the size', 'RFC 9112 §7.1.1', `5\t\r\nhello\r\n${END}`),
  broken('a blank before the extension', 'RFC 9112 §7.1.1', `5 ;a=b\r\nhello\r\n${END}`),
  broken('no size', 'RFC 9112 §7.1', `\r\nhello\r\n${END}`),
  broken('no size but an extension', 'RFC 9112 §7.1', `;a=b\r\nhello\r\n${END}`),
  broken('no hex', 'RFC 9112 §7.1', `g\r\nhello\r\n${END}`),
  broken('an underscore', 'RFC 9112 §7.1', `0_5\r\nhello\r\n${END}`),
  broken('past 64 bits', 'RFC 9112 §7.1', `10000000000000005\r\nhello\r\n${END}`),
  broken('a size that ends in LF', 'RFC 9112 §7.1', `5\nhello\r\n${END}`),
  broken('a size that ends in CR', 'RFC 9112 §7.1', `5\rhello\r\n${END}`),
  broken('an extension that ends in LF', 'RFC 9112 §7.1.1', `5;a\nhello\r\n${END}`),
  broken('an extension with a bare CR', 'RFC 9112 §7.1.1', `5;a\rb\r\nhello\r\n${END}`),
  broken('an extension with NUL', 'RFC 9112 §7.1.1', `5;a\0\r\nhello\r\n${END}`),
  broken('an extension of 20,000 bytes', 'RFC 9112 §7.1.1', `5;${'a'.repeat(20_000)}\r\nhello\r\n${END}`),
  broken('data longer than its size', 'RFC 9112 §7.1', `5\r\nhello!\r\n${END}`),
  broken('data that ends in LF', 'RFC 9112 §7.1', `5\r\nhello\n${END}`),
  broken('data that ends in CR', 'RFC 9112 §7.1', `5\r\nhello\r${END}`),
  broken('data that ends in nothing', 'RFC 9112 §7.1', `5\r\nhello${END}`),
  broken('data that ends in two other bytes', 'RFC 9112 §7.1', `5\r\nhelloXX${END}`),
  broken('the last chunk ends in LF', 'RFC 9112 §7.1', `${CHUNK}0\n\r\n`),
  broken('the end is LF', 'RFC 9112 §7.1', `${CHUNK}0\r\n\n`),
  broken('the end is CR', 'RFC 9112 §7.1', `${CHUNK}0\r\n\r`),
  torn('no last chunk', 'RFC 9112 §8', chunked(CHUNK)),
  good('a trailer', 'RFC 9110 §6.5', trailer('X-Sum: 1'), ['POST /p +5']),
  broken('a trailer that frames by length', 'RFC 9110 §6.5.1', `${CHUNK}0\r\nContent-Length: 40\r\n\r\n`),
  broken('a trailer that frames by coding', 'RFC 9110 §6.5.1', `${CHUNK}0\r\nTransfer-Encoding: cow\r\n\r\n`),
  good('a trailer that routes', 'RFC 9110 §6.5.1', trailer('Host: other.tunnel.test'), ['POST /p +5']),
  good('a trailer that forges', 'promises', trailer('X-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6'), ['POST /p +5']),
  broken('a trailer that ends in LF', 'RFC 9112 §2.2', `${CHUNK}0\r\nX: y\n\r\n`),
  broken('a folded trailer', 'RFC 9112 §5.2', `${CHUNK}0\r\nX: y\r\n z\r\n\r\n`),
  broken('a trailer with a blank before the colon', 'RFC 9112 §5.1', `${CHUNK}0\r\nX : y\r\n\r\n`),
  broken('a trailer with NUL', 'RFC 9110 §5.5', `${CHUNK}0\r\nX: y\0\r\n\r\n`),
  broken('a trailer of 40,000 bytes', 'promises', `${CHUNK}0\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`),
]
