import { en } from '@engawa/edge/show/en'
import { ja } from '@engawa/edge/show/ja'
import t from 'tap'

type Tree = Record<string, unknown>

/** `path: kind` of every entry; of functions also how many values they take. */
function shape(tree: Tree, path = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    if (typeof value === 'object') return shape(value as Tree, `${path}${key}.`)
    return [`${path}${key}: ${typeof value}${typeof value === 'function' ? value.length : ''}`]
  })
}

function texts(tree: Tree): string[] {
  return Object.values(tree).flatMap((value) => {
    if (typeof value === 'string') return [value]
    if (typeof value === 'function') return [String((value as (...words: unknown[]) => unknown)('a', 'b', 'c'))]
    return texts(value as Tree)
  })
}

t.test('both catalogues have the same keys', async (t) => {
  t.strictSame(shape(ja).toSorted(), shape(en).toSorted())
})

t.test('no text is empty, has a hole or a blank at its end', async (t) => {
  for (const text of [...texts(en), ...texts(ja)]) {
    t.notMatch(text, /undefined|NaN|\[object/)
    t.equal(text, text.trim())
    t.not(text, '')
  }
})

t.test('English is ASCII but for quotes; Japanese sentences end in Japanese', async (t) => {
  for (const text of texts(en)) t.match(text, /^[\x20-\x7e\n]*$/)
  for (const text of texts(ja)) t.notMatch(text, /[ぁ-ん]\.$/)
})
