import { nameFrom, parseDomain, parseEdgeDomain, parseName } from '@engawa/shared/names'
import fc from 'fast-check'
import t from 'tap'

const names: [text: string, name: string][] = [
  ['blog', 'blog'],
  ['Blog-2', 'blog-2'],
  ['8080', '8080'],
  ['縁側', 'xn--2yq632i'],
  ['Bücher', 'xn--bcher-kva'],
  ['x'.repeat(63), 'x'.repeat(63)],
]
for (const [text, name] of names) {
  t.test(`${text} is the name ${name}`, async (t) => {
    t.equal(parseName(text), name)
  })
}

const notNames = [
  '',
  '-a',
  'a-',
  'a.b',
  'a_b',
  'a b',
  'x'.repeat(64),
  'a/b',
  'a:80',
  '.',
  'a.',
  '\u0000',
  'a\n',
  '１.2',
  'xn--',
  'xn--\u0000',
  '縁'.repeat(64),
]
for (const text of notNames) {
  t.test(`${JSON.stringify(text).slice(0, 40)} is no name`, async (t) => {
    t.throws(() => parseName(text), { code: 'NAME_INVALID', message: /use letters/, ja: /英数字/ })
  })
}

t.test('domains are whole names', async (t) => {
  t.equal(parseDomain('WWW.Example.com.'), 'www.example.com')
  t.equal(parseDomain('日本語.jp'), 'xn--wgv71a119e.jp')
  t.equal(parseEdgeDomain('localhost'), 'localhost')
  for (const text of [
    'localhost',
    '1.2.3.4',
    '::1',
    'a..b',
    '.a.b',
    'a.b:80',
    'https://a.b',
    '*.a.b',
    'a.1',
    '１.２.３.４',
  ]) {
    t.throws(() => parseDomain(text), { code: 'NAME_INVALID', message: /write a whole name/ }, text)
  }
  t.throws(() => parseDomain(`${'a.'.repeat(127)}com`), { code: 'NAME_INVALID' })
})

t.test('any text makes a name, and a name is its own', async (t) => {
  t.equal(nameFrom('My Site (2)', 'x'), 'my-site-2')
  t.equal(nameFrom('___', 'folder'), 'folder')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const name = nameFrom(text, 'fallback')
      return parseName(name) === name
    }),
  )
})
