import { mayHoldHost, mayHoldName, parseGrant, USUAL_GRANT } from '@engawa/edge/identity/grant'
import t from 'tap'

t.test('the usual grant is any name and port, no own domain', async (t) => {
  t.equal(parseGrant({}), undefined)
  t.ok(mayHoldName(USUAL_GRANT, 'anything'))
  t.equal(USUAL_GRANT.ports, undefined)
  t.notOk(mayHoldHost(USUAL_GRANT, 'www.example.com'))
})

const names: [pattern: string, name: string, held: boolean][] = [
  ['blog', 'blog', true],
  ['blog', 'blogs', false],
  ['home-*', 'home-22', true],
  ['home-*', 'home', false],
  ['*-api', 'my-api', true],
  ['a*b*c', 'aXbXc', true],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'ac', false],
  ['ab*ba', 'aba', false],
  ['*', 'x', true],
  ['one,two', 'two', true],
  ['', 'x', false],
  ['blog,縁側', 'xn--2yq632i', true],
]
for (const [pattern, name, held] of names) {
  t.test(`--names ${JSON.stringify(pattern)} ${held ? 'holds' : 'does not hold'} ${name}`, async (t) => {
    t.equal(mayHoldName(parseGrant({ names: pattern }) ?? USUAL_GRANT, name), held)
  })
}

t.test('ports and hosts', async (t) => {
  const grant = parseGrant({ ports: '1000-2000,2001-2100', hosts: 'www.A.jp, *.b.jp' }) ?? USUAL_GRANT
  t.same(grant.ports, [[1000, 2100]])
  t.same(
    ['www.a.jp', 'a.jp', 'x.b.jp', 'b.jp', 'xb.jp'].map((host) => mayHoldHost(grant, host)),
    [true, false, true, false, false],
  )
})

t.test('wrong ones are refused', async (t) => {
  t.throws(() => parseGrant({ names: 'a.b' }), { code: 'FLAG_INVALID', message: /home-\*/, ja: /パターン/ })
  t.throws(() => parseGrant({ names: '縁側-*' }), { code: 'FLAG_INVALID' }, 'part of a name has no ASCII form')
  t.throws(() => parseGrant({ ports: '0' }), { code: 'FLAG_INVALID' })
  t.throws(() => parseGrant({ hosts: 'x' }), { code: 'NAME_INVALID' })
})
