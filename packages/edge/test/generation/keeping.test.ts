import { Keeping } from '@engawa/edge/generation/keeping'
import t from 'tap'

/** As a server that listens. */
function server(name: string): never {
  return { _handle: name } as never
}

t.test('one socket after the other is given, each when the former has come', async (t) => {
  const given: string[] = []
  const arrivals: (() => void)[] = []
  const keeping = new Keeping((key, handle) => {
    given.push(`${key} ${String(handle)}`)
    return new Promise<void>((resolve) => {
      arrivals.push(resolve)
    })
  })
  for (const key of ['a', 'b', 'c']) keeping.add(key, server(key.toUpperCase()))
  t.same(given, ['a A'])
  arrivals.shift()?.()
  await turn()
  t.same(given, ['a A', 'b B'])
  keeping.add('d', server('D'))
  while (arrivals.length > 0) {
    arrivals.shift()?.()
    await turn()
  }
  t.same(given, ['a A', 'b B', 'c C', 'd D'])
  keeping.add('e', server('E'))
  t.equal(given.at(-1), 'e E', 'after a pause, too')
})

t.test('what waits can be taken back, what is given cannot', async (t) => {
  const given: string[] = []
  const arrival = Promise.withResolvers<void>()
  const keeping = new Keeping((key) => {
    given.push(key)
    return arrival.promise
  })
  const [a, b, c] = [server('A'), server('B'), server('C')]
  keeping.add('a', a)
  keeping.add('b', b)
  t.equal(keeping.forget('a', a), false)
  t.equal(keeping.forget('b', c), false, 'another one that listens there now')
  t.equal(keeping.forget('b', b), true)
  arrival.resolve()
  await turn()
  t.same(given, ['a'])
})

t.test('a front that has gone stops nothing', async (t) => {
  const given: string[] = []
  const keeping = new Keeping(async (key) => {
    given.push(key)
    throw new Error('gone')
  })
  keeping.add('a', server('A'))
  keeping.add('b', server('B'))
  await turn()
  t.same(given, ['a', 'b'])
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
