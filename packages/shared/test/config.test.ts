import { parseAddress } from '@engawa/shared/addresses'
import { parsedText, readConfig } from '@engawa/shared/config'
import { parseDuration } from '@engawa/shared/quantities'
import t from 'tap'
import { z } from 'zod'

const schema = z.strictObject({
  http: parsedText(parseAddress).optional(),
  https: z.union([z.literal('off'), parsedText(parseAddress)]).optional(),
  grace: parsedText(parseDuration).default(120_000),
  limits: z
    .strictObject({
      connections: z.int().min(1).default(16_384),
      perAddress: z.strictObject({ burst: z.int() }).optional(),
    })
    .prefault({}),
  tunnels: z.array(z.strictObject({ target: z.string(), protocol: z.enum(['http', 'tcp']).optional() })).default([]),
})

t.test('a right file is read, with its defaults', async (t) => {
  const text = '# mine\nhttp: "127.0.0.1:80"\nlimits:\n  connections: 5\n'
  t.match(readConfig({ file: 'edge.yaml', text }, schema), {
    http: { host: '127.0.0.1', port: 80 },
    grace: 120_000,
    limits: { connections: 5 },
    tunnels: [],
  })
  t.match(readConfig({ file: 'edge.yaml', text: '' }, schema), { limits: { connections: 16_384 } })
})

const wrong: [text: string, message: RegExp][] = [
  ['colour: red', /^f\.yaml:1:1 colour: unknown key, allowed are http, https, grace, limits, tunnels$/],
  [
    'grace: 1m\nlimits:\n  conections: 1',
    /^f\.yaml:3:3 limits\.conections: unknown key, allowed are connections, perAddress$/,
  ],
  [
    'limits: { perAddress: { bursts: 3 } }',
    /^f\.yaml:1:25 limits\.perAddress\.bursts: unknown key, allowed are burst$/,
  ],
  ['limits:\n  connections: many', /^f\.yaml:2:3 limits\.connections: a number is wanted here, not text$/],
  ['limits:\n  connections: 1.5', /^f\.yaml:2:3 limits\.connections: a whole number is wanted here, not a number$/],
  ['limits:\n  connections: 0', /^f\.yaml:2:3 limits\.connections: must be at least 1$/],
  ['http: eighty', /^f\.yaml:1:1 http: "eighty" is no address; write HOST:PORT/],
  ['https: eighty', /^f\.yaml:1:1 https: "eighty" is no address; write HOST:PORT/],
  ['grace: soon', /^f\.yaml:1:1 grace: "soon" is no duration; write/],
  ['tunnels:\n  - target: x\n  - protocol: tcp', /^f\.yaml:3:5 tunnels\[1\]\.target: this key is needed$/],
  ['tunnels:\n  - target: x\n    protocol: udp', /^f\.yaml:3:5 tunnels\[0\]\.protocol: allowed are http, tcp$/],
  [
    'tunnels:\n  - { target: x, nme: y }',
    /^f\.yaml:2:18 tunnels\[0\]\.nme: unknown key, allowed are target, protocol$/,
  ],
  ['tunnels: 3', /^f\.yaml:1:1 tunnels: a list .* is wanted here, not a number$/],
  ['grace: 120', /^f\.yaml:1:1 grace: text is wanted here, not a number; quotes make it text: "120"$/],
  ['- a\n- b', /^f\.yaml:1:1 keys with values .* not a list/],
  ['a: [1', /^f\.yaml:1:6 this is no YAML/],
  ['http: ":80"\nhttp: ":81"', /^f\.yaml:2:1 this is no YAML \(Map keys must be unique/],
  ['"a\\x1b[2Jb": 1', /^f\.yaml:1:1 "a\\u001b\[2Jb": unknown key/],
  ['just text', /^f\.yaml:1:1 keys with values .* not text$/],
]
for (const [text, message] of wrong) {
  t.test(`${JSON.stringify(text)} is told at its place`, async (t) => {
    t.throws(() => readConfig({ file: 'f.yaml', text }, schema), { code: 'CONFIG_INVALID', message })
  })
}

function say(text: string): string {
  try {
    readConfig({ file: 'f.yaml', text, language: 'ja' }, schema)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

t.test('the same in Japanese', async (t) => {
  t.equal(say('colour: red'), 'f.yaml:1:1 colour: 知らない項目です。使える項目: http, https, grace, limits, tunnels')
  t.match(say('grace: soon'), /時間ではありません/)
  t.match(say('limits: { connections: 0 }'), /f\.yaml:1:11 limits\.connections: .*[ぁ-ん]/)
  t.match(say('tunnels:\n- protocol: tcp'), /tunnels\[0\]\.target: この項目が必要です$/)
  t.match(say('grace: 120'), /grace: 文字列で書いてください \(今は数値です。引用符で囲むと文字列になります: "120"\)$/)
  t.match(say('tunnels:\n- protocol: udp\n  target: x'), /使える値: http, tcp$/)
  t.match(say('grace:\n\thttp: x'), /空白で字下げ/)
  t.match(say('a: [1'), /YAML として読めません/)
})

t.test('a bomb of aliases is refused', async (t) => {
  const levels = Array.from(
    { length: 9 },
    (_, n) =>
      `l${n}: &l${n} [${Array(9)
        .fill(n ? `*l${n - 1}` : 'x')
        .join()}]`,
  )
  t.throws(() => readConfig({ file: 'f.yaml', text: levels.join('\n') }, schema), { code: 'CONFIG_INVALID' })
})
