import type { ShownEvent } from '@engawa/agent/events'
import { Board } from '@engawa/agent/show/board'
import { en } from '@engawa/agent/show/en'
import { bytesText, spanText } from '@engawa/agent/show/figures'
import { ja } from '@engawa/agent/show/ja'
import { cut, wrap } from '@engawa/agent/show/wrap'
import { widthOf } from '@engawa/shared/terminal'
import t from 'tap'

const AT = new Date(2026, 10, 22, 12, 34, 56)
const TUNNEL: ShownEvent = {
  event: 'tunnel',
  name: 'blog',
  protocol: 'http',
  public: 'https://blog.example.com',
  urls: [],
  target: 'http://127.0.0.1:8080',
}
const REQUEST: ShownEvent = {
  event: 'request',
  name: 'blog',
  method: 'GET',
  path: '/index.html',
  status: 200,
  ms: 12,
  received: 0,
  sent: 10,
  visitor: '203.0.113.7',
}
const EVENTS: readonly ShownEvent[] = [
  { event: 'connected', edge: '203.0.113.5:443', carriers: 1 },
  TUNNEL,
  { ...TUNNEL, name: 'shop', public: 'http://www.shop.jp', awaits_certificate: true },
  { event: 'service', name: 'blog', target: 'http://127.0.0.1:8080', reachable: false, code: 'SERVICE_REFUSED' },
  { event: 'check', name: 'blog', public: 'https://blog.example.com', ok: false, failed: 'port' },
  { event: 'refused', name: 'x', code: 'NAME_TAKEN', message: 'taken', target: 'http://127.0.0.1:1' },
  { event: 'traffic', name: 'blog', total: 1234, open: 2, received: 123_456_789, sent: 5, dropped: 0 },
  ...Array.from({ length: 60 }, (_, index) => ({ ...REQUEST, path: `/${'日本語'.repeat(index)}` })),
  { event: 'carrier_lost', left: 0 },
  { event: 'disconnected', retry_ms: 250, message: 'no answer' },
]

for (const [language, words] of Object.entries({ en, ja })) {
  for (const [columns, rows] of [
    [80, 24],
    [80, 10],
    [40, 24],
    [200, 60],
    [20, 5],
  ] as const) {
    t.test(`the screen fits ${columns} × ${rows} in ${language} after every event`, async (t) => {
      const board = new Board(words)
      for (const event of EVENTS) {
        board.take(event, AT)
        const lines = board.render(columns, rows, false)
        t.ok(lines.length <= rows, `${event.event}: ${lines.length} rows`)
        for (const line of lines) {
          if (line !== TUNNEL.public) t.ok(widthOf(line) <= columns, `${event.event}: ${line}`)
        }
      }
    })
  }
}

t.test('the address stands first, alone and whole', async (t) => {
  const board = new Board(en)
  board.take(TUNNEL, AT)
  t.equal(board.render(10, 24, false)[0], 'https://blog.example.com')
})

t.test('an address that stands for another script says how it reads', async (t) => {
  const board = new Board(en)
  board.take({ event: 'asking', name: 'xn--2yq632i', target: TUNNEL.target }, AT)
  t.match(board.render(80, 24, false)[0], '縁側 (xn--2yq632i): asking the edge')
  board.take({ ...TUNNEL, name: 'xn--2yq632i', public: 'http://xn--2yq632i.example.com' }, AT)
  t.same(board.render(80, 24, false).slice(0, 2), [
    'http://xn--2yq632i.example.com',
    '  縁側.example.com -> http://127.0.0.1:8080',
  ])
})

t.test('who sees http is told that https is to come, until it has', async (t) => {
  const board = new Board(en)
  board.take({ ...TUNNEL, public: 'http://blog.example.com', awaits_certificate: true }, AT)
  t.match(board.render(80, 24, false).join('\n'), /https follows when its certificate is there/)
  board.take(TUNNEL, AT)
  t.notMatch(board.render(80, 24, false).join('\n'), /https follows/)
})

t.test('a request cannot paint the screen', async (t) => {
  const board = new Board(en)
  board.take({ ...REQUEST, path: '/\u001b[2J%1b[31m\u202e', method: 'G\u0007T', visitor: '\u009b1m' }, AT)
  // oxlint-disable-next-line no-control-regex
  t.notMatch(board.render(80, 24, false).join('\n'), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
})

t.test('an edge cannot either', async (t) => {
  const board = new Board(en)
  board.take({ ...TUNNEL, public: 'https://x\u001b[2J' }, AT)
  t.notMatch(board.render(80, 24, false).join('\n'), '\u001b')
})

t.test('lines are cut and wrapped by columns', async (t) => {
  t.equal(cut('abcdef', 6), 'abcdef')
  t.equal(cut('abcdefg', 6), 'abcd..')
  t.equal(cut('日本語の長い文', 7), '日本..')
  t.same(wrap('one two three', 8), ['one two', 'three'])
  t.same(wrap('日本語の文、です', 8), ['日本語の', '文、です'])
})

t.test('figures', async (t) => {
  t.same([0, 999, 1023, 1024, 123_456_789].map(bytesText), ['0 B', '999 B', '1.0 KiB', '1.0 KiB', '118 MiB'])
  t.same([0.4, 999, 1000, 119_999, 180_000].map(spanText), ['0 ms', '999 ms', '1.0 s', '120.0 s', '3 min'])
})
