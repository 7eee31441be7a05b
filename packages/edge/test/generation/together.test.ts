import { Together } from '@engawa/edge/generation/together'
import t from 'tap'

t.test('those who ask in one turn are answered by one question', async (t) => {
  const asked: (readonly string[])[] = []
  const together = new Together(async (keys) => {
    asked.push(keys)
    return keys.filter((key) => key !== 'b')
  })
  t.same(await Promise.all(['a', 'b', 'c'].map((key) => together.has(key))), [true, false, true])
  t.equal(await together.has('b'), false)
  t.same(asked, [['a', 'b', 'c'], ['b']])
})

t.test('a failure is that of all who asked, and of nobody later', async (t) => {
  let works = false
  const together = new Together(async (keys) => {
    if (works) return keys
    throw new Error('gone')
  })
  const both = await Promise.allSettled([together.has('a'), together.has('b')])
  t.match(both, [{ status: 'rejected' }, { status: 'rejected' }])
  works = true
  t.equal(await together.has('a'), true)
})
