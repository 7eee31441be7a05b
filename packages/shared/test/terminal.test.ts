import { pad, printable, widthOf } from '@engawa/shared/terminal'
import t from 'tap'

t.test('columns are counted as a terminal does', async (t) => {
  for (const [text, columns] of [
    ['', 0],
    ['abc', 3],
    ['縁側', 4],
    ['カ\u3099', 2],
    ['ｱｲｳ', 3],
    ['ｶ\uff9e', 2],
    ['\uff9e', 1],
    ['e\u0301', 1],
    ['😀', 2],
    ['👨‍👩‍👧', 2],
    ['𠮷野家', 6],
    ['\u001b[1;36mblog\u001b[0m', 4],
    ['a\u200bb', 2],
  ] as const) {
    t.equal(widthOf(text), columns, JSON.stringify(text))
  }
  t.equal(pad('縁', 4), '縁  ')
  t.equal(pad('long', 2), 'long')
})

t.test('nothing from outside drives a terminal, and JSON stays JSON', async (t) => {
  t.equal(printable('縁側 🏠'), '縁側 🏠')
  t.equal(printable('a\nb\u001b[2J\u009b\u007f'), 'a\\u000ab\\u001b[2J\\u009b\\u007f')
  t.equal(printable('\u202egpj.exe\u2066\u2028'), '\\u202egpj.exe\\u2066\\u2028')
  const outside = 'x\u009b\u202e\u{e0001}\u200b'
  const line = printable(JSON.stringify({ path: outside }))
  t.notMatch(line, /[\p{Cc}\p{Cf}]/u)
  t.same(JSON.parse(line), { path: outside })
})
