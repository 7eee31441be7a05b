import {
  nameFrom,
  parseDomain,
  parseEdgeDomain,
  parseName,
  readable,
  shownAddress,
  shownName,
} from '@engawa/shared/names'
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

t.test('a name is shown in its own script where that cannot pose as another one', async (t) => {
  for (const name of ['縁側', '太郎-2', 'カメラ', 'bücher', '居間tv']) {
    const ascii = parseName(name)
    t.equal(shownName(ascii), `${name} (${ascii})`)
    t.equal(parseName(readable(ascii) ?? ''), ascii, 'and can be typed so')
  }
  for (const name of ['home', 'xn--a', '-', '']) t.equal(shownName(name), name)
  // The first letter of each is Cyrillic, Greek, Armenian; the last is a dotless i.
  for (const name of ['аpple', 'οpen', 'հome', 'lıne', 'Иван']) {
    const ascii = parseName(name)
    t.match(ascii, /^xn--/)
    t.equal(shownName(ascii), ascii, name)
    t.equal(shownName(ascii, name), `${name.toLowerCase()} (${ascii})`, 'unless it was typed')
    t.equal(shownName(ascii, 'apple'), ascii)
  }
})

t.test('an address stays whole, with what it reads as behind', async (t) => {
  t.equal(
    shownAddress('http://xn--2yq632i.example.com:8080/a'),
    'http://xn--2yq632i.example.com:8080/a (縁側.example.com)',
  )
  t.equal(shownAddress('*.xn--2yq632i.example.com:22'), '*.xn--2yq632i.example.com:22 (*.縁側.example.com)')
  for (const address of [
    'http://home.example.com',
    '[2001:db8::1]:22',
    'http://[2001:db8::1]/',
    '',
    'xn--pple-43d.com',
  ])
    t.equal(shownAddress(address), address)
})
