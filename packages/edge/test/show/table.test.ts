import { relative, size, span } from '@engawa/edge/show/figures'
import { facts, table } from '@engawa/edge/show/table'
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
