import { get, good, HOST, NAME, type Row } from '../row.ts'

/** What the service must see of the edge's own fields, whatever the visitor sends. */
const OURS = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-proto': 'http',
  'x-forwarded-host': NAME,
  'x-real-ip': '127.0.0.1',
  forwarded: `for=127.0.0.1;host=${NAME};proto=http`,
} as const

const forged = (name: string, rule: string, lines: string, fields: Row['fields'] = {}): Row =>
  good(name, rule, get('/x', `${HOST}${lines}\r\n`), ['GET /x'], { fields: { ...OURS, ...fields } })

/** promises.md, "header forgers"; RFC 9110 §7.6.1. */
export const FORGING: readonly Row[] = [
  forged('X-Forwarded-For', 'promises', 'X-Forwarded-For: 6.6.6.6'),
  forged('in odd letters', 'promises', 'x-fOrWaRdEd-FoR: 6.6.6.6'),
  forged('twice', 'promises', 'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7'),
  forged('X-Forwarded-Proto', 'promises', 'X-Forwarded-Proto: https'),
  forged('X-Forwarded-Host', 'promises', 'X-Forwarded-Host: evil.example'),
  forged('X-Real-IP', 'promises', 'X-Real-IP: 6.6.6.6'),
  forged('Forwarded', 'RFC 7239 §4', 'Forwarded: for=6.6.6.6;proto=https'),
  forged('kin of ours', 'promises', 'X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded: 6.6.6.6', {
    'x-forwarded-port': undefined,
    'x-forwarded-prefix': undefined,
    'x-forwarded': undefined,
  }),
  forged(
    'aliases by other letters',
    'promises',
    'X.Forwarded.For: 6.6.6.6\r\nX+Real+IP: 6.6.6.6\r\nX-Forwarded~For: 6',
    {
      'x.forwarded.for': undefined,
      'x+real+ip': undefined,
      'x-forwarded~for': undefined,
    },
  ),
  forged('stripping by Connection', 'RFC 9110 §7.6.1', 'Connection: X-Forwarded-For, X-Real-IP, Forwarded'),
  forged(
    'stripping by two Connections',
    'RFC 9110 §7.6.1',
    'Connection: x-forwarded-proto\r\nConnection: X-Forwarded-Host',
  ),
  forged('stripping by Proxy-Connection', 'RFC 9110 §7.6.1', 'Proxy-Connection: X-Forwarded-For'),
  forged('stripping Host', 'RFC 9110 §7.6.1', 'Connection: Host', { host: NAME }),
  forged('stripping another field', 'RFC 9110 §7.6.1', 'Connection: X-Y\r\nX-Y: z', { 'x-y': undefined }),
  forged('stripping behind odd commas', 'RFC 9110 §5.6.1', 'Connection: ,, X-Y ,\r\nX-Y: z', { 'x-y': undefined }),
  forged('Proxy, which becomes HTTP_PROXY', 'promises', 'Proxy: http://evil.example', { proxy: undefined }),
  forged('Keep-Alive', 'RFC 9110 §7.6.1', 'Keep-Alive: timeout=99', { 'keep-alive': undefined }),
  forged('TE', 'RFC 9110 §10.1.4', 'TE: trailers, deflate\r\nConnection: TE', { te: undefined }),
  forged('Proxy-Authorization', 'RFC 9110 §11.7.2', 'Proxy-Authorization: Basic eDp5', {
    'proxy-authorization': undefined,
  }),
  forged('Via', 'RFC 9110 §7.6.3', 'Via: 1.0 front', { via: '1.0 front, 1.1 engawa' }),
  forged('no Via before', 'RFC 9110 §7.6.3', 'X: y', { via: '1.1 engawa' }),
]
