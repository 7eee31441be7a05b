import { prefers } from '@engawa/shared/prefers'
import t from 'tap'

t.test('qualities decide, then precision, then order', async (t) => {
  const offers = ['text/plain', 'application/json', 'text/html']
  t.equal(prefers('text/*;q=0.5, application/json', offers), 'application/json')
  t.equal(prefers('text/plain;q=0, */*', offers), 'application/json')
  t.equal(prefers('image/png', offers), 'text/plain')
  t.equal(prefers('text/html;q=7, x', offers), 'text/plain')
  t.equal(prefers('ja, en', ['en', 'ja']), 'ja')
  t.equal(prefers('en-GB,en;q=0.9,ja;q=0.8', ['en', 'ja']), 'en')
})
