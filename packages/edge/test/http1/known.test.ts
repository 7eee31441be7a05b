import { BlockList } from 'node:net'
import t from 'tap'
import { KnownFields } from '../../src/forward/known.ts'
import { KnownLines } from '../../src/http1/lines.ts'
import { AnswerHeads } from '../../src/http1/visitor-response.ts'
import { fakeTunnel } from '../support/fake-table.ts'

const LITTLE = ['Host', 'a']
const LARGE = ['Host', 'a', 'X', 'x'.repeat(5000)]

t.test(
  'what was made of fields is kept for the same array again, unless it is large: many connections rest',
  async (t) => {
    // The head of an answer is another one each second.
    t.intercept(Date, 'now', { value: () => 0 })
    const lines = new KnownLines('')
    const heads = new AnswerHeads(60)
    const known = new KnownFields()
    const tunnel = fakeTunnel({ name: 'blog' })
    const trusted = new BlockList()
    const peer = { family: 4, address: '192.0.2.1', port: 1 } as const
    const begun = { status: 200, reason: 'OK', bodied: true, last: false }
    const made = {
      lines: (raw: string[]) => lines.of(raw),
      'the head of an answer': (fields: string[]) => heads.of({ ...begun, fields }),
      'fields towards a service': (raw: string[]) =>
        known.request(
          { peer, secure: true },
          { raw, method: 'GET', version: '1.1', upgrade: undefined, tunnel, trusted },
        ),
      'fields towards a visitor': (raw: string[]) =>
        known.answer({ raw, status: 200, domain: 'example.com', trailers: false, strictTransport: undefined }),
    }
    for (const [what, of] of Object.entries<(raw: string[]) => unknown>(made)) {
      t.ok(of(LITTLE) === of(LITTLE), what)
      t.ok(of(LARGE) !== of(LARGE), what)
      t.same(of(LARGE), of(LARGE), what)
    }
  },
)
