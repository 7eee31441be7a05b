import { relative, size, span } from '@engawa/edge/show/figures'
import { facts, fittingTable, table } from '@engawa/edge/show/table'
import { widthOf } from '@engawa/shared/terminal'
import t from 'tap'

t.test('columns line up in Japanese too', async (t) => {
  t.equal(
    table(
      ['エージェント', '状態'],
      [
        ['home', '接続中'],
        ['mine', '切断'],
      ],
    ),
    'エージェント  状態\nhome          接続中\nmine          切断\n',
  )
  t.equal(
    facts([
      ['HTTP', 'a'],
      ['管理用', 'b'],
    ]),
    '  HTTP    a\n  管理用  b\n',
  )
})

t.test('a table that is too wide for the terminal has the first cell of each row above the others', async (t) => {
  const heads = ['ADDRESS', 'AGENT', 'LEADS TO', 'STATE']
  const rows = [
    ['https://blog.example.com', 'home', 'http://127.0.0.1:8080', 'live'],
    ['example.com:22022', 'エージェント', 'tcp://127.0.0.1:22', '接続中'],
  ]
  t.equal(fittingTable(heads, rows, { columns: 80, cuts: 2 }), table(heads, rows))
  t.equal(
    fittingTable(heads, rows, { columns: 50, cuts: 2 }),
    `ADDRESS
  AGENT         LEADS TO               STATE
https://blog.example.com
  home          http://127.0.0.1:8080  live
example.com:22022
  エージェント  tcp://127.0.0.1:22     接続中
`,
  )
  for (const columns of [45, 40, 36]) {
    const lines = fittingTable(heads, rows, { columns, cuts: 2 }).split('\n')
    t.ok(lines.every((line) => widthOf(line) <= columns))
    t.equal(lines[2], 'https://blog.example.com', 'an address is never cut')
  }
  t.match(fittingTable(heads, rows, { columns: 40, cuts: 2 }), /home +http:\/\/127\.0\.0\.\. +live/)
})

t.test('what an agent named cannot drive the terminal', async (t) => {
  t.notMatch(table(['A'], [['\u001b[2J']]), '\u001b')
})

t.test('figures for people', async (t) => {
  t.equal(relative(0, 180_000, 'en'), '3 minutes ago')
  t.equal(relative(0, 180_000, 'ja'), '3 分前')
  t.equal(relative(3_600_000, 0, 'en'), 'in 1 hour')
  t.equal(relative(0, 10, 'en'), 'now')
  t.equal(span(7_500_000, 'en'), '2h 5m')
  t.equal(span(7_500_000, 'ja'), '2 時間 5 分')
  t.equal(span(400, 'en'), '0s')
  t.equal(span(86_400_000, 'en'), '1d')
  t.equal(size(0), '0 B')
  t.equal(size(1023), '1023 B')
  t.equal(size(12.3 * 2 ** 20), '12.3 MiB')
  t.equal(size(200 * 2 ** 30), '200 GiB')
})
