import t from 'tap'
import { smallEdge, talk } from '../support/edge.ts'

const HOST = 'Host: blog.example.com\r\n'
const get = (target: string, fields: string = HOST): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n`
const post = (fields: string, body: string): string => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`

/** Name, bytes, expected code. Each connection is closed by the edge afterwards, and the service never sees any of it. */
const REFUSED: [name: string, bytes: string, code: string][] = [
  ['no Host (RFC 9112 §3.2)', get('/', ''), 'HOST_INVALID'],
  ['two Hosts', get('/', `${HOST}Host: other.example.com\r\n`), 'HOST_INVALID'],
  ['twice the same Host', get('/', HOST + HOST), 'HOST_INVALID'],
  ['an empty Host', get('/', 'Host:\r\n'), 'HOST_INVALID'],
  ['a list in Host', get('/', 'Host: blog.example.com, other.example.com\r\n'), 'HOST_INVALID'],
  ['userinfo in Host', get('/', 'Host: blog.example.com@other.example.com\r\n'), 'HOST_INVALID'],
  ['a path in Host', get('/', 'Host: blog.example.com/x\r\n'), 'HOST_INVALID'],
  ['an odd port', get('/', 'Host: blog.example.com:8x\r\n'), 'HOST_INVALID'],
  ['a port too high', get('/', 'Host: blog.example.com:65536\r\n'), 'HOST_INVALID'],
  ['an empty label', get('/', 'Host: blog..example.com\r\n'), 'HOST_INVALID'],
  ['non-ASCII in Host', get('/', 'Host: bl\xf6g.example.com\r\n'), 'HOST_INVALID'],
  ['percent in Host', get('/', 'Host: blog%2eexample.com\r\n'), 'HOST_INVALID'],
  ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 'HOST_INVALID'],
  ['absolute-form (§3.2.2)', get('http://blog.example.com/'), 'REQUEST_INVALID'],
  ['absolute-form that disagrees', get('http://other.example.com/'), 'REQUEST_INVALID'],
  ['asterisk-form', get('*'), 'REQUEST_INVALID'],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 'REQUEST_INVALID'],
  ['a fragment', get('/a#b'), 'REQUEST_INVALID'],
  ['non-ASCII target', get('/\xfc'), 'REQUEST_INVALID'],
  ['a quote-breaking control in the target', get('/\x01'), 'REQUEST_INVALID'],
  ['TRACE', `TRACE / HTTP/1.1\r\n${HOST}\r\n`, 'METHOD_REFUSED'],
  ['CONNECT', `CONNECT blog.example.com:443 HTTP/1.1\r\n${HOST}\r\n`, 'METHOD_REFUSED'],
  ['an unknown method', `FROB / HTTP/1.1\r\n${HOST}\r\n`, 'REQUEST_INVALID'],
  ['HTTP/0.9', 'GET / HTTP/0.9\r\nHost: blog.example.com\r\n\r\n', 'REQUEST_INVALID'],
  ['HTTP/2.0 in words', 'GET / HTTP/2.0\r\nHost: blog.example.com\r\n\r\n', 'REQUEST_INVALID'],
  ['h2 prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'REQUEST_INVALID'],
  ['CL and TE (§6.3)', post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['TE and CL', post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['two lengths', post('Content-Length: 1\r\nContent-Length: 2\r\n', 'xx'), 'REQUEST_INVALID'],
  ['the same length twice', post('Content-Length: 1\r\nContent-Length: 1\r\n', 'x'), 'REQUEST_INVALID'],
  ['a list of lengths', post('Content-Length: 1, 1\r\n', 'x'), 'REQUEST_INVALID'],
  ['a signed length', post('Content-Length: +1\r\n', 'x'), 'REQUEST_INVALID'],
  ['TE.TE: gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['TE.TE: chunked, identity', post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['TE.TE: xchunked', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['TE twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 'REQUEST_INVALID'],
  ['TE in HTTP/1.0 (§6.1)', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 'REQUEST_INVALID'],
  ['space before the colon (§5.1)', get('/', `${HOST}X : y\r\n`), 'REQUEST_INVALID'],
  ['obs-fold (§5.2)', get('/', `${HOST}X: y\r\n z\r\n`), 'REQUEST_INVALID'],
  ['bare LF', get('/', 'Host: blog.example.com\nX: y\r\n'), 'REQUEST_INVALID'],
  ['bare CR', get('/', `${HOST}X: y\rz\r\n`), 'REQUEST_INVALID'],
  ['NUL', get('/', `${HOST}X: y\0z\r\n`), 'REQUEST_INVALID'],
  ['an underscore alias', get('/', `${HOST}X_Forwarded_For: 1.2.3.4\r\n`), 'REQUEST_INVALID'],
  ['Content_Length', get('/', `${HOST}Content_Length: 5\r\n`), 'REQUEST_INVALID'],
  ['a long target', get(`/${'a'.repeat(8192)}`), 'TARGET_TOO_LONG'],
  ['a large head', get('/', `${HOST}X: ${'y'.repeat(17_000)}\r\n`), 'HEAD_TOO_LARGE'],
  ['many fields', get('/', HOST + 'a: b\r\n'.repeat(100)), 'HEAD_TOO_LARGE'],
]

t.test('what two readers could take differently is refused, and the connection closed', async (t) => {
  let seen = 0
  const { port } = await smallEdge(t, (_request, response) => {
    seen++
    response.end('service')
  })
  for (const [name, bytes, code] of REFUSED) {
    const answer = await talk(port, bytes)
    t.match(answer, new RegExp(`^HTTP/1\\.1 4\\d\\d [^]*Engawa-Error: ${code}\\r\\n`), name)
    t.match(answer, /connection: close/i, name)
  }
  // A second request behind a refused one must not be served either.
  t.equal((await talk(port, get('*') + get('/'))).match(/^HTTP/gm)?.length, 1)
  t.equal(seen, 0, 'the service has seen nothing')
})

t.test('a body of a chunked request with a wrong chunk never becomes a second request', async (t) => {
  const seen: string[] = []
  const { port } = await smallEdge(t, (request, response) => {
    seen.push(request.url ?? '')
    request.resume().on('end', () => response.end('ok'))
  })
  for (const body of [
    '0x1\r\nx\r\n0\r\n\r\n',
    '1\nx\n0\n\n',
    '1;a\nx\r\n0\r\n\r\n',
    'g\r\n',
    '-1\r\nx',
    '1 \r\nx\r\n0\r\n\r\n',
  ]) {
    await talk(port, post('Transfer-Encoding: chunked\r\n', `${body}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`))
  }
  t.notOk(seen.includes('/smuggled'))
})

t.test('fields that are odd but clear pass', async (t) => {
  const { port } = await smallEdge(t, (_request, response) => response.end('service'))
  for (const host of ['BLOG.example.COM', 'blog.example.com.', 'blog.example.com:8080', 'blog.example.com.:1']) {
    t.match(await talk(port, get('/a?b=%00//', `Host: ${host}\r\nConnection: close\r\n`)), /200 OK[^]*service/, host)
  }
  t.match(await talk(port, get('/', 'Host: unknown.example.com\r\nConnection: close\r\n')), /404[^]*HOST_UNKNOWN/)
  t.match(await talk(port, get('/', 'Host: [::1]:80\r\nConnection: close\r\n')), /404[^]*HOST_UNKNOWN/)
})

t.test('the bare address leads to the tunnel that has it', async (t) => {
  const { port, table, tunnel } = await smallEdge(t, (_request, response) => response.end('service'))
  table.bareTunnel = tunnel
  for (const host of ['example.com', '127.0.0.1:80', '[2001:db8::1]']) {
    t.match(await talk(port, get('/', `Host: ${host}\r\nConnection: close\r\n`)), /200 OK[^]*service/, host)
  }
  t.match(await talk(port, get('/', 'Host: other.example.com\r\nConnection: close\r\n')), /404/)
})

t.test('a head that does not come is not waited for', async (t) => {
  const { port } = await smallEdge(t, () => {}, { limits: { requestHeadMs: 100 } })
  t.match(await talk(port, 'GET / HTTP/1.1\r\nHost: bl'), /408[^]*REQUEST_TIMEOUT/)
  t.match(await talk(port, ''), /408|^$/)
})

t.test('what is no request ends the connection, after the whole ones before it are answered', async (t) => {
  const { port } = await smallEdge(t, (request, response) =>
    request.resume().on('end', () => response.end(request.url)),
  )
  const answers = await talk(port, `${get('/first')}${get('/second')}garbage\r\n\r\n${get('/third')}`)
  t.match(answers, /\/first[^]*\/second/)
  t.notMatch(answers, '/third')
  const torn = post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\nxyz\r\n')
  t.match(await talk(port, get('/first') + torn), /\/first[^]{0,20}$/, 'whole before a torn one')
  t.equal(await talk(port, post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\nxyz\r\n')), '', 'a torn body is cut')
})
