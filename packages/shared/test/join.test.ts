import { decodeJoin, encodeJoin, type JoinLine } from '@engawa/shared/join'
import fc from 'fast-check'
import t from 'tap'

const sample: JoinLine = {
  addresses: ['203.0.113.5:443', '[2001:db8::5]:443'],
  secret: new Uint8Array(32).map((_, index) => index),
  pin: new Uint8Array(32).fill(0xab),
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const anyLine = fc.record({
  addresses: fc.array(fc.stringMatching(/^[a-z0-9.:[\]-]{1,60}$/), { minLength: 1, maxLength: 16 }),
  secret: bytes32,
  pin: bytes32,
})

t.test('a join line is written byte for byte', async (t) => {
  const line = encodeJoin({ ...sample, addresses: ['a:1'] })
  t.equal(
    Buffer.from(line.slice('engawa1:'.length), 'base64url').subarray(0, -4).toString('hex'),
    `010103613a31${Buffer.from(sample.secret).toString('hex')}${'ab'.repeat(32)}`,
  )
})

t.test('a join line survives being written and read', async (t) => {
  fc.assert(
    fc.property(anyLine, (line) => {
      t.same(decodeJoin(encodeJoin(line)), line)
    }),
    { numRuns: 50 },
  )
})

t.test('it is read as people paste it', async (t) => {
  const line = encodeJoin(sample)
  const wrapped = line.replace(/.{60}/g, '$&\n  ')
  for (const text of [`agent join ${line}`, `engawa-agent  join\n${line}\n`, ` ${line} `, `'${line}'`, wrapped]) {
    t.same(decodeJoin(text), sample, text.slice(0, 20))
  }
})

t.test('every single changed character is noticed', async (t) => {
  for (const addresses of [['a:1'], ['ab:1'], ['abc:1'], sample.addresses]) {
    const line = encodeJoin({ ...sample, addresses })
    const taken: string[] = []
    for (let at = 0; at < line.length; at++) {
      for (const character of `${ALPHABET}:.=é `) {
        if (character === line[at]) continue
        const changed = line.slice(0, at) + character + line.slice(at + 1)
        try {
          decodeJoin(changed)
          taken.push(changed)
        } catch (error) {
          if ((error as { code?: string }).code !== 'JOIN_LINE_INVALID') taken.push(String(error))
        }
      }
    }
    t.same(taken, [])
  }
})

t.test('every cut is noticed', async (t) => {
  const line = encodeJoin(sample)
  for (let length = 0; length < line.length; length++) {
    t.throws(() => decodeJoin(line.slice(0, length)), { code: 'JOIN_LINE_INVALID' }, `${length} characters`)
  }
  t.throws(() => decodeJoin(`${line}A`), { code: 'JOIN_LINE_INVALID' })
})

const line = encodeJoin(sample)
function messageOf(text: string): string {
  try {
    decodeJoin(text)
    return ''
  } catch (error) {
    return String(error)
  }
}

const helpful: [what: string, text: string, message: RegExp][] = [
  ['another text', 'hello', /does not begin with engawa1:.*Copy all/],
  ['a newer version', line.replace('engawa1', 'engawa2'), /newest agent/],
  ['a cut line', line.slice(0, -20), /cut short, about 20 characters are missing/],
  ['a stranger in it', line.replace(/.$/, '!'), new RegExp(`character ${line.length}, "!", cannot`)],
  ['a wrong character', line.replace(/.(.{30})$/, (_, rest: string) => `~${rest}`), /cannot be part/],
]
for (const [what, text, message] of helpful) {
  t.test(`${what} is told as such, without the secret`, async (t) => {
    t.throws(() => decodeJoin(text), { code: 'JOIN_LINE_INVALID', message, ja: /コピー/ })
    t.notMatch(messageOf(text), line.slice(60, 70))
  })
}

t.test('random bytes are refused, never worse', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeJoin(`engawa1:${Buffer.from(bytes).toString('base64url')}`)
        return false
      } catch (error) {
        return (error as { code?: string }).code === 'JOIN_LINE_INVALID'
      }
    }),
  )
})

t.test('what cannot be a join line is not written', async (t) => {
  t.throws(() => encodeJoin({ ...sample, addresses: [] }), RangeError)
  t.throws(() => encodeJoin({ ...sample, secret: new Uint8Array(31) }), RangeError)
  t.throws(() => encodeJoin({ ...sample, addresses: ['x'.repeat(256)] }), RangeError)
})
