import t from 'tap'
import { parseAgentMessage, parseEdgeMessage } from '../../src/wire/control.ts'

const BIND = { type: 'bind', service: 1, name: 'web', protocol: 'http', target: '127.0.0.1:8080' }
const SUMMARY = {
  type: 'request',
  service: 1,
  method: 'GET',
  path: '/',
  status: 200,
  ms: 1.5,
  received: 0,
  sent: 12,
  visitor: '203.0.113.7',
}

const FROM_AGENT: object[] = [
  BIND,
  { ...BIND, hosts: ['example.jp', 'xn--eckwd4c7c.example'], path: '/app' },
  { ...BIND, protocol: 'tcp', port: [2222, 2230], count: 9, exact: true },
  { ...BIND, protocol: 'udp', port: [1, 65_535], count: 65_535 },
  { ...BIND, protocol: 'tls', service: 0xffff_ffff },
  { type: 'unbind', service: 1 },
  { type: 'release', id: 1, name: 'web' },
  { type: 'leave', id: 2 },
  { type: 'drain' },
]

const FROM_EDGE: object[] = [
  { type: 'bound', service: 1, name: 'web', public: 'https://web.example.jp', urls: ['https://web.example.jp'] },
  { type: 'bound', service: 1, name: 'ssh', public: 'example.jp:2222', urls: [], ports: [2222, 2222], check: 'abc' },
  { type: 'refused', service: 1, code: 'NAME_TAKEN', message: 'web is taken' },
  { type: 'unbound', service: 1, code: 'REVOKED' },
  { type: 'done', id: 1 },
  { type: 'failed', id: 1, code: 'NAME_UNKNOWN', message: '' },
  SUMMARY,
  { ...SUMMARY, code: 'SERVICE_REFUSED', status: 502 },
  { type: 'drain' },
]

t.test('each message of protocol.md §8 is read as it was written', async (t) => {
  for (const message of FROM_AGENT) t.strictSame(parseAgentMessage(JSON.stringify(message)), message)
  for (const message of FROM_EDGE) t.strictSame(parseEdgeMessage(JSON.stringify(message)), message)
})

t.test('a field that a newer peer adds does no harm', async (t) => {
  t.match(parseAgentMessage(JSON.stringify({ ...BIND, colour: 'green', nested: { deep: [1] } })), BIND)
})

t.test('each side refuses what only the other may say', async (t) => {
  for (const message of FROM_AGENT.filter((message) => !('type' in message && message.type === 'drain'))) {
    t.throws(() => parseEdgeMessage(JSON.stringify(message)), { code: 'MESSAGE_INVALID' })
  }
  for (const message of FROM_EDGE.filter((message) => !('type' in message && message.type === 'drain'))) {
    t.throws(() => parseAgentMessage(JSON.stringify(message)), { code: 'MESSAGE_INVALID' })
  }
})

const NOT_MESSAGES = [
  '',
  'nul',
  '{',
  '[]',
  '[{"type":"drain"}]',
  'null',
  '1',
  '"drain"',
  '{}',
  '{"type":1}',
  '{"type":null}',
]

t.test('what is no message is MESSAGE_INVALID', async (t) => {
  const strangers = ['unknown', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '']
  for (const json of [...NOT_MESSAGES, ...strangers.map((type) => JSON.stringify({ type })), '{"type":"drain"}x']) {
    t.throws(() => parseAgentMessage(json), { code: 'MESSAGE_INVALID' }, json)
    t.throws(() => parseEdgeMessage(json), { code: 'MESSAGE_INVALID' }, json)
  }
})

/** For each field values that must not pass. */
const WRONG: Record<string, unknown[]> = {
  service: [0, -1, 1.5, 2 ** 32, '1', null, [1], true],
  name: [1, null, 'x'.repeat(254), ['web']],
  protocol: ['HTTP', 'sctp', '', 0, 'constructor'],
  hosts: ['example.jp', [1], { 0: 'a' }, Array.from({ length: 101 }, () => 'a')],
  path: [1, 'x'.repeat(1025), null],
  port: [80, [80], [0, 1], [2, 1], [1, 65_536], [1, 2, 3], ['1', '2'], [1.5, 2]],
  exact: ['yes', 1, null],
  count: [0, 65_536, 1.5, '1', null],
  target: [1, null, 'x'.repeat(1025)],
}

t.test('each wrong field of bind is MESSAGE_INVALID', async (t) => {
  for (const [key, values] of Object.entries(WRONG)) {
    for (const value of values) {
      const json = JSON.stringify({ ...BIND, [key]: value })
      t.throws(() => parseAgentMessage(json), { code: 'MESSAGE_INVALID' }, json.slice(0, 120))
    }
  }
})

t.test('each missing field that is due is MESSAGE_INVALID', async (t) => {
  const check = (messages: object[], parse: (json: string) => unknown): void => {
    for (const message of messages.filter((message) => !('code' in message && 'status' in message))) {
      for (const key of Object.keys(message)) {
        if (['hosts', 'path', 'port', 'count', 'exact', 'ports', 'check'].includes(key)) continue
        const json = JSON.stringify({ ...message, [key]: undefined })
        t.throws(() => parse(json), { code: 'MESSAGE_INVALID' }, json)
      }
    }
  }
  check(FROM_AGENT, parseAgentMessage)
  check(FROM_EDGE, parseEdgeMessage)
})

t.test('a summary of a request carries counts that can be counted', async (t) => {
  for (const [key, value] of Object.entries({
    status: 1000,
    ms: -1,
    received: -1,
    sent: '1',
    visitor: 1,
    code: 'NOPE',
  })) {
    t.throws(() => parseEdgeMessage(JSON.stringify({ ...SUMMARY, [key]: value })), { code: 'MESSAGE_INVALID' }, key)
  }
  t.throws(() => parseEdgeMessage(JSON.stringify(SUMMARY).replace('1.5', '1e999')), { code: 'MESSAGE_INVALID' })
})

t.test('a JSON text as deep as it is long is refused, not a crash', async (t) => {
  t.throws(() => parseAgentMessage('['.repeat(65_536)), { code: 'MESSAGE_INVALID' })
  const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`
  t.throws(() => parseAgentMessage(`{"type":"bind","service":${deep}}`), { code: 'MESSAGE_INVALID' })
})
