import t from 'tap'
import { Http2Heads } from '../../src/forward/http2-head.ts'
import { random } from '../http1/mutated.ts'
import { LONG } from '../support/patience.ts'

const PSEUDO = [':method', 'GET', ':scheme', 'https', ':authority', 'blog.example.com', ':path', '/'] as const
const FIELDS = ['accept', '*/*', 'cookie', 'a=1', 'user-agent', 'some', 'cookie', 'b=2'] as const

function asked(path: string): string[] {
  return [...PSEUDO.slice(0, 7), path, ...FIELDS]
}

t.test('fields that come again are the very same, with all that was made of them', async (t) => {
  const heads = new Http2Heads('https')
  const one = heads.read(asked('/one'), true)
  const two = heads.read(asked('/two'), true)
  t.strictSame([one?.url, two?.url], ['/one', '/two'])
  t.equal(one?.fields, two?.fields)
  t.strictSame(one?.fields.raw.slice(0, 2), ['Host', 'blog.example.com'])
  t.not(heads.read(asked('/one'), false)?.fields, one?.fields, 'a body makes other fields')
  t.not(heads.read([...asked('/one'), 'x-more', '1'], true)?.fields, one?.fields)
})

t.test('a WebSocket has a key of its own each time', async (t) => {
  const heads = new Http2Heads('https')
  const raw = [':method', 'CONNECT', ':protocol', 'websocket', ...PSEUDO.slice(2)]
  const keys = [heads.read(raw, false), heads.read(raw, false)].map((head) => head?.webSocketKey)
  t.ok(keys[0])
  t.not(keys[0], keys[1])
})

t.test('what came before never changes how a head is read', async (t) => {
  const below = random(0x0a11)
  const pieces = [
    ...PSEUDO,
    ...FIELDS,
    'host',
    'content-length',
    '3',
    'trailer',
    'te',
    'connection',
    'Accept',
    'POST',
    '',
  ]
  const heads = new Http2Heads('https')
  for (let round = 0; round < (LONG ? 500_000 : 20_000); round++) {
    const raw = asked(`/${below(3)}`)
    for (let changes = below(3); changes > 0; changes--) {
      const at = below(raw.length)
      const piece = pieces[below(pieces.length)] ?? ''
      const how = below(4)
      if (how === 0) raw[at] = piece
      else if (how === 1) raw.splice(at - (at % 2), 2)
      else if (how === 2) raw.splice(at - (at % 2), 0, piece, pieces[below(pieces.length)] ?? '')
      else raw.push(...raw.splice(at - (at % 2), 2))
    }
    const bodiless = below(2) === 0
    const known = heads.read(raw, bodiless)
    const anew = new Http2Heads('https').read(raw, bodiless)
    if (known?.webSocketKey !== undefined) continue
    if (JSON.stringify(known) !== JSON.stringify(anew)) t.fail(JSON.stringify({ raw, bodiless, known, anew }))
  }
})
