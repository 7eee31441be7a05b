import { jsonText } from '@engawa/shared/json'
import t from 'tap'

t.test('no JSON line drives a terminal, and each still says the same', async (t) => {
  const evil = { path: '/\u001b[2J\u009b31m\u007f\u202e\u061c\u2028', name: '日本語 é' }
  const text = jsonText(evil)
  // oxlint-disable-next-line no-control-regex
  t.notMatch(text, /[\u0000-\u001f\u007f-\u009f\u061c\u2028-\u202e]/)
  t.ok(text.includes('日本語 é'))
  t.same(JSON.parse(text), evil)
})
