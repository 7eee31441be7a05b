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
  ['a: [1', /^f\.yaml:1:4 this \[ is never closed by a \]$/],
  ['http: ":80"\nhttp: ":81"', /^f\.yaml:2:1 this key is here twice$/],
  ['&x &y a: 1', /^f\.yaml:1:4 this is no YAML \(.+\)$/],
  ['"a\\x1b[2Jb": 1', /^f\.yaml:1:1 "a\\u001b\[2Jb": unknown key/],
  ['just text', /^f\.yaml:1:1 keys with values .* not text$/],
]
for (const [text, message] of wrong) {
  t.test(`${JSON.stringify(text)} is told at its place`, async (t) => {
    t.throws(() => readConfig({ file: 'f.yaml', text }, schema), { code: 'CONFIG_INVALID', message })
  })
}

function say(text: string, language: 'en' | 'ja' = 'ja'): string {
  try {
    readConfig({ file: 'f.yaml', text, language }, schema)
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
  t.match(say('&x &y a: 1'), /YAML として読めません/)
})

const INDENT = ['indented', '字下げがずれ'] as const
const COLON = ['"key: value" is wanted', 'コロン (:) か'] as const
const QUOTES = ['quotes, such as "*.lab"', '引用符で囲んで'] as const
const broken: readonly [text: string, place: string, en: string, ja: string][] = [
  ['tunnels:\n  - target: a\n name: x\n', '3:2', ...INDENT],
  ['tunnels:\n  - target: a\n     name: x\n', '3:6', ...INDENT],
  ['limits:\n   connections: 1\n  perAddress: {}\n', '3:3', ...INDENT],
  ['limits:\n  connections: 1\n\n   perAddress: {}\n', '4:4', ...INDENT],
  ['grace: 1m\n  http: ":80"\n', '2:3', ...INDENT],
  ['tunnels:\n    - target: a\n  - target: b\n', '3:3', ...INDENT],
  ['grace 1m\nhttp: ":80"\n', '1:1', ...COLON],
  ['http: ":80"\ngrace 1m\n', '2:1', ...COLON],
  ['http: ":80"\ngrace:1m\n', '2:1', ...COLON],
  ['tunnels:\n  - target:8080\n    name: x\n', '2:5', ...COLON],
  ['http: ":80"\ngrace：1m\n', '2:1', 'full-width', '全角'],
  ['limits:\n\u3000connections: 1\n', '2:1', 'full-width', '全角'],
  ['http: ":80\ngrace: 1m\n', '1:7', 'this " is never closed', 'この " を閉じる'],
  ["http: ':80\ngrace: 1m\n", '1:7', "this ' is never closed", "この ' を閉じる"],
  ['http: "', '1:7', 'this " is never closed', 'この " を閉じる'],
  ['tunnels: [{ target: a }\ngrace: 1m\n', '1:10', 'this [ is never closed', 'この [ を閉じる'],
  ['tunnels: [{ target: a ]\n', '1:11', 'this { is never closed', 'この { を閉じる'],
  ['limits: { connections: 1\ngrace: 1m\n', '1:9', 'this { is never closed', 'この { を閉じる'],
  ['tunnels: [a\n# ] \n', '1:10', 'this [ is never closed', 'この [ を閉じる'],
  ['tunnels: []]\n', '1:12', 'one too many', '余って'],
  ['http: "a" b\n', '1:11', 'one too many', '余って'],
  ['grace: 1m: x\n', '1:8', 'one colon too many', 'コロンが多すぎ'],
  ['http: *.lab\n', '1:7', ...QUOTES],
  ['http: @x\n', '1:7', ...QUOTES],
  ['http: !x y\n', '1:7', ...QUOTES],
  ['http: "C:\\q"\n', '1:10', "write '...'", "'...' で囲んで"],
  ['limits: { connections: 1 perAddress: {} }\n', '1:24', 'comma', 'コンマ'],
  ['grace: 1m\n---\nhttp: x\n', '2:1', 'second document', '2 つ目'],
]
for (const [text, place, english, japanese] of broken) {
  t.test(`${JSON.stringify(text)} is told in words, at ${place}`, async (t) => {
    t.throws(() => readConfig({ file: 'f.yaml', text }, schema), { code: 'CONFIG_INVALID' })
    for (const [language, words] of [
      ['en', english],
      ['ja', japanese],
    ] as const) {
      const told = say(text, language)
      t.ok(told.startsWith(`f.yaml:${place} `), told)
      t.ok(told.includes(words), told)
      t.notMatch(told, /\n/)
    }
  })
}

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
