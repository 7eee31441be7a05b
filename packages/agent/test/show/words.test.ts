import { en } from '@engawa/agent/show/en'
import { ja } from '@engawa/agent/show/ja'
import t from 'tap'

function shape(value: unknown): unknown {
  if (typeof value === 'function') return `function of ${value.length}`
  if (Array.isArray(value)) return value.map((row: unknown) => (Array.isArray(row) ? row.length : 0))
  if (typeof value === 'object' && value !== null) return Object.keys(value).toSorted()
  return typeof value
}

t.test('both catalogues hold the same keys of the same kind', async (t) => {
  t.same(Object.keys(ja).toSorted(), Object.keys(en).toSorted())
  for (const [key, text] of Object.entries(en)) t.same(shape(ja[key as keyof typeof ja]), shape(text), key)
})

t.test('the Japanese one is Japanese', async (t) => {
  const ascii = new Set(['language', 'targetReach', 'edgeOther', 'helpTarget', 'helpExamples', 'refusals', 'closings'])
  for (const [key, text] of Object.entries(ja)) {
    if (ascii.has(key)) continue
    const said =
      typeof text === 'function' ? (text as (...args: unknown[]) => string)(1, 2, 'z', 'v', 'w') : String(text)
    t.match(said, /[\u3040-\u30ff\u4e00-\u9fff]/, key)
  }
})
