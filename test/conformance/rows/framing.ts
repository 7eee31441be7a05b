import { bad, get, good, HOST, post, type Row, SMUGGLED, torn } from '../row.ts'

const TE = 'Transfer-Encoding: chunked\r\n'
const END = '0\r\n\r\n'
const length = (value: string): string => post(`Content-Length: ${value}\r\n`, 'hello')
const encoding = (line: string): string => post(`${line}\r\n`, `${END}${SMUGGLED}`)
/** The same with a length beside it: the second reader goes by the length. */
const both = (line: string): string => post(`Content-Length: 4\r\n${line}\r\n`, `5c\r\n${SMUGGLED}\r\n${END}`)

/** RFC 9112 §6: where a body ends. The families of request smuggling live here. */
export const FRAMING: readonly Row[] = [
  good('a length', 'RFC 9112 §6.2', length('5'), ['POST /p +5']),
  good(
    'a length, and trailers announced',
    'RFC 9110 §6.6.2',
    post('Trailer: X-Sum\r\nContent-Length: 5\r\n', 'hello'),
    ['POST /p +5'],
  ),
  good('no length: no body', 'RFC 9112 §6.3', post('', ''), ['POST /p'], { fields: { 'content-length': '0' } }),
  good('a GET with a body', 'RFC 9110 §9.3.1', get('/x', `${HOST}Content-Length: 5\r\n`) + 'hello', ['GET /x +5']),
  good('a length with zeros first', 'RFC 9110 §8.6', length('005'), ['POST /p +5'], {
    fields: { 'content-length': '5' },
  }),
  torn('a body shorter than its length', 'RFC 9112 §8', length('50')),
  bad('two lengths', 'RFC 9112 §6.3', post('Content-Length: 5\r\nContent-Length: 0\r\n', 'hello')),
  bad('two lengths, none first', 'RFC 9112 §6.3', post('Content-Length: 0\r\nContent-Length: 5\r\n', 'hello')),
  bad('twice the same length', 'promises', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  bad('two spellings of one length', 'promises', post('Content-Length: 5\r\ncontent-length: 05\r\n', 'hello')),
  bad('a list of equal lengths', 'promises', length('5, 5')),
  bad('a list of lengths', 'RFC 9112 §6.3', length('5, 0')),
  bad('plus', 'RFC 9110 §8.6', length('+5')),
  bad('minus', 'RFC 9110 §8.6', length('-5')),
  bad('minus nothing', 'RFC 9110 §8.6', length('-0')),
  bad('hex', 'RFC 9110 §8.6', length('0x5')),
  bad('a fraction', 'RFC 9110 §8.6', length('5.0')),
  bad('an exponent', 'RFC 9110 §8.6', length('5e0')),
  bad('empty', 'RFC 9110 §8.6', length('')),
  bad('a blank inside', 'RFC 9110 §8.6', length('5 0')),
  bad('a letter behind it', 'RFC 9110 §8.6', length('5x')),
  bad('a vertical tab', 'RFC 9110 §5.6.3', length('\x0b5')),
  bad('quotes', 'RFC 9110 §8.6', length('"5"')),
  bad('past 64 bits', 'RFC 9110 §8.6', length('18446744073709551621')),
  bad('past 53 bits', 'RFC 9110 §8.6', length('99999999999999999')),
  bad('a blank before the colon', 'RFC 9112 §5.1', post('Content-Length : 5\r\n', 'hello')),
  bad('an alias: Content_Length', 'promises', post('Content_Length: 5\r\n', 'hello')),
  bad('folded', 'RFC 9112 §5.2', post('Content-Length:\r\n 5\r\n', 'hello')),
  good('CL.0: a request for a body', 'RFC 9112 §6.2', post(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), [
    `POST /p +${SMUGGLED.length}`,
  ]),
  good('CL.0 with GET', 'RFC 9110 §9.3.1', get('/x', `${HOST}Content-Length: ${SMUGGLED.length}\r\n`) + SMUGGLED, [
    `GET /x +${SMUGGLED.length}`,
  ]),
  good(
    'CL.0 with HEAD',
    'RFC 9110 §9.3.2',
    `HEAD /x HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
    [`HEAD /x +${SMUGGLED.length}`],
  ),
  good('0.CL: the body is the next request', 'RFC 9112 §6.3', post('Content-Length: 0\r\n', get('/second')), [
    'POST /p',
    'GET /second',
  ]),
  bad('CL.TE', 'RFC 9112 §6.3', post(`Content-Length: 6\r\n${TE}`, `${END}X`)),
  bad('CL.TE, a whole request behind', 'RFC 9112 §6.3', post(`Content-Length: 60\r\n${TE}`, END + SMUGGLED)),
  bad('TE.CL', 'RFC 9112 §6.3', post(`${TE}Content-Length: 4\r\n`, `27\r\n${SMUGGLED}\r\n${END}`)),
  bad('TE.CL, length nought', 'RFC 9112 §6.3', post(`${TE}Content-Length: 0\r\n`, END + SMUGGLED)),
  bad('both, and the length is right', 'RFC 9112 §6.1', post(`${TE}Content-Length: 5\r\n`, END)),
  bad('both in a GET', 'RFC 9112 §6.3', get('/x', `${HOST}Content-Length: 5\r\n${TE}`) + END),
  ...TE_TE(),
  good('TE in capitals', 'RFC 9112 §7', post('TRANSFER-ENCODING: CHUNKED\r\n', `5\r\nhello\r\n${END}`), ['POST /p +5']),
  good('TE with blanks around it', 'RFC 9112 §5.1', post('Transfer-Encoding: \t chunked \r\n', END), ['POST /p'], {
    fields: { 'transfer-encoding': 'chunked' },
  }),
  bad('TE in HTTP/1.0', 'RFC 9112 §6.1', `POST /p HTTP/1.0\r\n${HOST}${TE}\r\n${END}`),
  good(
    'TE named in Connection',
    'RFC 9110 §7.6.1',
    post(`Connection: Transfer-Encoding\r\n${TE}`, `5\r\nhello\r\n${END}`),
    ['POST /p +5'],
  ),
  good(
    'the length named in Connection',
    'RFC 9110 §7.6.1',
    post('Connection: content-length\r\nContent-Length: 5\r\n', 'hello'),
    ['POST /p +5'],
  ),
]

/** Ways to write Transfer-Encoding so that one reader sees it and another does not. RFC 9112 §6.1, §6.3 */
function TE_TE(): Row[] {
  const lines: [name: string, line: string][] = [
    ['a list that ends in chunked', 'Transfer-Encoding: gzip, chunked'],
    ['a list that does not end in chunked', 'Transfer-Encoding: chunked, identity'],
    ['identity', 'Transfer-Encoding: identity'],
    ['gzip alone', 'Transfer-Encoding: gzip'],
    ['an unknown coding', 'Transfer-Encoding: cow'],
    ['xchunked', 'Transfer-Encoding: xchunked'],
    ['chunkedx', 'Transfer-Encoding: chunkedx'],
    ['half a word', 'Transfer-Encoding: chunk'],
    ['twice in one', 'Transfer-Encoding: chunked, chunked'],
    ['a comma first', 'Transfer-Encoding: , chunked'],
    ['a comma last', 'Transfer-Encoding: chunked,'],
    ['a parameter', 'Transfer-Encoding: chunked;q=0.5'],
    ['quotes', 'Transfer-Encoding: "chunked"'],
    ['single quotes', "Transfer-Encoding: 'chunked'"],
    ['empty', 'Transfer-Encoding:'],
    ['a vertical tab first', 'Transfer-Encoding: \x0bchunked'],
    ['a form feed last', 'Transfer-Encoding: chunked\x0c'],
    ['NUL last', 'Transfer-Encoding: chunked\0'],
    ['NUL first', 'Transfer-Encoding: \0chunked'],
    ['a byte above ASCII', 'Transfer-Encoding: chunked\xa0'],
    ['two fields', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
    ['two fields that differ', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'],
    ['two fields, the odd one first', 'Transfer-Encoding: cow\r\nTransfer-Encoding: chunked'],
    ['a blank before the colon', 'Transfer-Encoding : chunked'],
    ['a tab before the colon', 'Transfer-Encoding\t: chunked'],
    ['folded', 'Transfer-Encoding:\r\n chunked'],
    ['folded by a tab', 'Transfer-Encoding:\r\n\tchunked'],
    ['folded to the field above', 'X: y\r\n Transfer-Encoding: chunked'],
    ['behind a bare LF', 'X: y\nTransfer-Encoding: chunked'],
    ['behind a bare CR', 'X: y\rTransfer-Encoding: chunked'],
    ['an alias', 'Transfer_Encoding: chunked'],
    ['a letter above ASCII', 'Transfer-Encod\xefng: chunked'],
  ]
  return lines.flatMap(([name, line]) => [
    bad(`TE.TE: ${name}`, 'RFC 9112 §6.1', encoding(line)),
    bad(`CL beside TE: ${name}`, 'RFC 9112 §6.3', both(line)),
  ])
}
