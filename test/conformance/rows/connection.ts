import { get, good, HOST, post, type Row, SMUGGLED } from '../row.ts'

const upgrade = (protocol: string, fields = ''): string =>
  get('/x', `${HOST}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${fields}`)
const SECOND = get('/second')
const CLOSE = 'Connection: close\r\n'
const NO_UPGRADE = { upgrade: undefined, 'http2-settings': undefined } as const

/** RFC 9112 §9, RFC 9110 §7.8: what comes behind a request, and leaving HTTP. */
export const CONNECTION: readonly Row[] = [
  good('two requests at once', 'RFC 9112 §9.3.2', get('/x') + SECOND, ['GET /x', 'GET /second']),
  good('a blank line between two', 'RFC 9112 §2.2', `${get('/x')}\r\n${SECOND}`, ['GET /x', 'GET /second']),
  good('a body and a request', 'RFC 9112 §9.3.2', post('Content-Length: 5\r\n', `hello${SECOND}`), [
    'POST /p +5',
    'GET /second',
  ]),
  good('HEAD and a request', 'RFC 9110 §9.3.2', `HEAD /x HTTP/1.1\r\n${HOST}\r\n${SECOND}`, ['HEAD /x', 'GET /second']),
  good('close, and a request behind it', 'RFC 9112 §9.6', get('/x', HOST + CLOSE) + SMUGGLED, ['GET /x']),
  good('HTTP/1.0, and a request behind it', 'RFC 9112 §9.3', `GET /x HTTP/1.0\r\n${HOST}\r\n${SMUGGLED}`, ['GET /x']),
  good('a request and garbage', 'RFC 9112 §9.3', `${get('/x')}garbage\r\n\r\n${SMUGGLED}`, ['GET /x'], {
    answers: [200, 400],
    byNode: { answers: [200] },
  }),
  good(
    'a request, and a torn one behind it',
    'RFC 9112 §9.3',
    `${get('/x')}${post('Transfer-Encoding: chunked\r\n', `5\r\nhello!\r\n${SMUGGLED}`)}`,
    ['GET /x'],
    { tears: true },
  ),
  good('a refused one, and a request behind it', 'promises', get('*') + SMUGGLED, [], { answers: [400] }),
  good('a good one, a refused one, a good one', 'promises', get('/x') + get('*') + SMUGGLED, ['GET /x'], {
    answers: [200, 400],
  }),
  good(
    'an unknown name, and a request behind it',
    'RFC 9110 §15.5.5',
    get('/x', 'Host: nobody.tunnel.test\r\n') + SECOND,
    ['GET /second'],
    {
      answers: [404, 200],
    },
  ),
  good('an expectation', 'RFC 9110 §10.1.1', post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'), [
    'POST /p +5',
  ]),
  good('an expectation without a body', 'RFC 9110 §10.1.1', get('/x', `${HOST}Expect: 100-continue\r\n`), ['GET /x']),
  good('Upgrade, and a request behind it', 'RFC 9110 §7.8', upgrade('websocket') + SMUGGLED, ['GET /x']),
  good('Upgrade, and bytes behind it', 'RFC 9110 §7.8', `${upgrade('websocket')}hello`, ['GET /x']),
  good(
    'Upgrade that the service takes, and bytes behind it',
    'RFC 6455 §4.1',
    `${get('/switch', `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`)}hello`,
    ['GET /switch', 'raw hello'],
    { answers: [101] },
  ),
  good(
    'Upgrade with a wrong version',
    'RFC 6455 §4.2.2',
    upgrade('websocket', 'Sec-WebSocket-Version: 777\r\n') + SMUGGLED,
    ['GET /x'],
  ),
  good(
    'a request, and an Upgrade behind it',
    'RFC 9110 §7.8',
    SECOND + upgrade('websocket'),
    ['GET /second', 'GET /x'],
    {
      fields: { upgrade: 'websocket' },
      byNode: { fields: NO_UPGRADE },
    },
  ),
  good('a body, and an Upgrade behind it', 'RFC 9110 §7.8', post('Content-Length: 5\r\n', 'hello') + upgrade('x'), [
    'POST /p +5',
    'GET /x',
  ]),
  good('Upgrade to h2c', 'RFC 9113 §3.1', upgrade('h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__\r\n'), ['GET /x'], {
    fields: NO_UPGRADE,
  }),
  good(
    'Upgrade to h2c, h2 named in Connection',
    'RFC 9113 §3.1',
    get('/x', `${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`),
    ['GET /x'],
    { fields: NO_UPGRADE },
  ),
  good('Upgrade to h2', 'RFC 9113 §3.1', upgrade('h2'), ['GET /x'], { fields: NO_UPGRADE }),
  good('Upgrade to HTTP/2.0', 'RFC 9110 §7.8', upgrade('HTTP/2.0'), ['GET /x'], { fields: NO_UPGRADE }),
  good('Upgrade to TLS', 'RFC 2817 §3', upgrade('TLS/1.0'), ['GET /x'], { fields: NO_UPGRADE }),
  good('a list of upgrades', 'RFC 9110 §7.8', upgrade('websocket, h2c'), ['GET /x'], { fields: NO_UPGRADE }),
  good('two Upgrades', 'RFC 9110 §7.8', upgrade('websocket', 'Upgrade: h2c\r\n'), ['GET /x'], { fields: NO_UPGRADE }),
  good(
    'Upgrade without Connection',
    'RFC 9110 §7.8',
    get('/x', `${HOST}Upgrade: websocket\r\n`) + SECOND,
    ['GET /x', 'GET /second'],
    {
      fields: NO_UPGRADE,
    },
  ),
  good(
    'Connection: Upgrade alone',
    'RFC 9110 §7.8',
    get('/x', `${HOST}Connection: Upgrade\r\n`) + SECOND,
    ['GET /x', 'GET /second'],
    {
      fields: NO_UPGRADE,
    },
  ),
  good('Upgrade with a body', 'promises', upgrade('websocket', 'Content-Length: 5\r\n') + 'hello', ['GET /x +5'], {
    fields: NO_UPGRADE,
  }),
  good(
    'Upgrade in a POST',
    'promises',
    post('Connection: Upgrade\r\nUpgrade: websocket\r\n', '') + SECOND,
    ['POST /p'],
    {
      fields: NO_UPGRADE,
    },
  ),
  good(
    'Upgrade in HTTP/1.0',
    'RFC 9110 §7.8',
    `GET /x HTTP/1.0\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ['GET /x'],
    {
      fields: NO_UPGRADE,
    },
  ),
]
