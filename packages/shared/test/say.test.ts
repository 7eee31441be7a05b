import { EngawaError } from '@engawa/shared/errors'
import { chooseLanguage, fill, quoted, told } from '@engawa/shared/say'
import t from 'tap'

const locales: [env: Record<string, string>, language: string][] = [
  [{ LANG: 'ja_JP.UTF-8' }, 'ja'],
  [{ LANG: 'ja' }, 'ja'],
  [{ LANG: 'ja_JP.UTF-8', LC_ALL: 'C' }, 'en'],
  [{ LANG: 'C', LC_ALL: 'ja_JP.UTF-8' }, 'ja'],
  [{ LANG: 'C', LC_ALL: '', LC_MESSAGES: 'ja_JP.eucJP' }, 'ja'],
  [{ LANG: 'jam' }, 'en'],
  [{}, 'en'],
]
for (const [env, language] of locales) {
  t.test(`${JSON.stringify(env)} speaks ${language}`, async (t) => {
    t.equal(chooseLanguage(undefined, env), language)
  })
}

t.test('--lang wins over the locale', async (t) => {
  t.equal(chooseLanguage('en', { LC_ALL: 'ja_JP.UTF-8' }), 'en')
})

t.test('an error is told in the language asked for, in English where it has no other', async (t) => {
  t.equal(told(new EngawaError('INTERNAL', 'broken', { ja: '故障' }), 'ja'), '故障')
  t.equal(told(new EngawaError('INTERNAL', 'broken', { ja: '故障' }), 'en'), 'broken')
  t.equal(told(new EngawaError('INTERNAL', 'broken'), 'ja'), 'broken')
})

t.test('places are filled, unknown ones stay', async (t) => {
  t.equal(fill('{a} and {b}, {toString}', { a: 1, b: '{a}' }), '1 and {a}, {toString}')
})

t.test('text from outside can neither fill the screen nor steer the terminal', async (t) => {
  t.equal(quoted('a\u001b[2Jb\n\u009b\u202e'), '"a\\u001b[2Jb\\n\\u009b\\u202e"')
  t.equal(quoted('x'.repeat(1000)).length, 63)
})
