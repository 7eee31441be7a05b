import { BlockList, connect } from 'node:net'
import { queryObjects } from 'node:v8'
import t from 'tap'
import { Exchange } from '../../src/forward/exchange.ts'
import { KnownFields } from '../../src/forward/known.ts'
import { KnownLines } from '../../src/http1/lines.ts'
import { AnswerHeads } from '../../src/http1/visitor-response.ts'
import { smallEdge, until } from '../support/edge.ts'
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

t.test('a connection that rests keeps no exchange', async (t) => {
  const edge = await smallEdge(t, (_, response) => response.end('here'))
  for (const more of ['', 'Connection: keep-alive, more\r\n']) {
    const socket = connect(edge.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.write(`GET / HTTP/1.1\r\nHost: blog.example.com\r\n${more}\r\n`)
    await until(socket, (got) => got.includes('here'))
    // oxlint-disable-next-line no-await-in-loop -- its end is told in a later turn
    while (edge.entries.length === 0) await new Promise((resolve) => setImmediate(resolve))
    edge.entries.length = 0
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(queryObjects(Exchange, { format: 'count' }), 0, more)
  }
})
