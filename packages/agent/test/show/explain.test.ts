import { byWhom } from '@engawa/agent/agent'
import { adding } from '@engawa/agent/complaint'
import type { AgentEvent } from '@engawa/agent/events'
import { reachFailure } from '@engawa/agent/join'
import { en } from '@engawa/agent/show/en'
import { explain } from '@engawa/agent/show/explain'
import { ja } from '@engawa/agent/show/ja'
import { EngawaError } from '@engawa/shared/errors'
import t from 'tap'

const taken = { event: 'refused', name: 'blog', code: 'NAME_TAKEN', message: 'taken', target: '8080' } as const
const silent = { event: 'service', name: 'nas', target: 'http://nas.home:80', reachable: false } as const

/** What happens, and what both languages say of it: what is the matter, and what to do. */
const ROWS: readonly [event: AgentEvent, en: RegExp, ja: RegExp][] = [
  [taken, /another agent holds this name.*--name/, /別のエージェントが使っています.*--name/],
  [
    { ...taken, used_for: 'tcp://127.0.0.1:22' },
    /tcp:\/\/127\.0\.0\.1:22 of this agent has this name already.*--name/,
    /このエージェントの tcp:\/\/127\.0\.0\.1:22 が使っています.*--name/,
  ],
  [{ ...taken, code: 'PORT_NOT_ALLOWED' }, /--tcp-ports.*invitation.*--port/, /--tcp-ports.*招待.*--port/],
  [{ ...silent, code: 'SERVICE_REFUSED' }, /start the service/, /サービスを起動/],
  [{ ...silent, code: 'SERVICE_UNREACHABLE' }, /is the name or address right/, /名前やアドレスは正しいですか/],
  [
    { event: 'disconnected', retry_ms: 250, code: 'SESSION_CLOSED', message: 'the edge stops' },
    /the edge has stopped/,
    /: エッジが止まりました$/,
  ],
  [
    { event: 'check', name: 'x', public: 'x.example:1', ok: false, failed: 'blocked' },
    /--allow or --deny/,
    /--allow か --deny/,
  ],
]

t.test('each language says what is the matter and what to do', async (t) => {
  for (const [event, english, japanese] of ROWS) {
    t.match(explain(event, en), english)
    t.match(explain(event, ja), japanese)
  }
})

t.test('who cannot take leave of an edge that is no more is told what to remove', async (t) => {
  const gone = new EngawaError('EDGE_TIMEOUT', 'no answer', { ja: '応答がありません' })
  const told = adding(gone, (words) => words.leaveAnyway('/data'))
  t.match(told, { code: 'EDGE_TIMEOUT', message: /^no answer\n.*identity\.json and key\.pem in \/data/, cause: gone })
  t.match(told.ja, /^応答がありません\n.*\/data の identity\.json と key\.pem/)
})

t.test('what is no edge is told in one language', async (t) => {
  const why = new EngawaError('TLS_INTERCEPTED', 'a certificate issued by CN=x', { ja: '証明書の発行者: CN=x' })
  t.match(reachFailure('h:1', why)(en), /^h:1: what answers there is not the edge.*\(a certificate issued by CN=x\)$/)
  t.match(reachFailure('h:1', why)(ja), /^h:1: 応答したのはエッジではないか.*\(証明書の発行者: CN=x\)$/)
})

t.test('who was replaced is told by which address, and no ids', async (t) => {
  const by = byWhom('by 203.0.113.7, instance 2noe6fnj65iCD7agACf9Og, in place of session BvFksUiESGf5fcHl9IIFnA')
  t.equal(by, '203.0.113.7')
  t.equal(byWhom('by 2001:db8::7'), '2001:db8::7')
  t.equal(byWhom('by \u001b[2J, instance x'), '')
  t.match(en.replaced(by), /logged in elsewhere, at 203\.0\.113\.7$/)
  t.match(ja.replaced(by), /別の場所 \(203\.0\.113\.7\) でつながったため/)
})
