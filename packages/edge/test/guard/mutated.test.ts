import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { collect, deserted, smallEdge, talk } from '../support/edge.ts'
import { LONG } from '../support/patience.ts'

const HOST = 'Host: blog.example.com\r\n'
const SEEDS = [
  `GET /a?b=c HTTP/1.1\r\n${HOST}Accept: */*\r\n\r\n`,
  `POST /b HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
  `POST /c HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n`,
  `PUT /d HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi`,
  `GET /e HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  `GET /f HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\nGET /g HTTP/1.1\r\n${HOST}\r\n`,
]
const SPICE = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  '_',
  '%',
  HOST,
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 1\r\n',
  '0\r\n\r\n',
  '\xff',
]
const MANY = LONG ? 1_000_000 : 3000

/** xorshift32: the same run each time. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function mutate(bytes: string, pick: (below: number) => number): string {
  let text = bytes
  for (let times = pick(4); times >= 0; times--) {
    const at = pick(text.length + 1)
    const [head, tail] = [text.slice(0, at), text.slice(at)]
    const spice = SPICE[pick(SPICE.length)] ?? ''
    const kinds = [
      head + spice + tail,
      head + tail.slice(1 + pick(4)),
      head + String.fromCharCode(pick(256)) + tail.slice(1),
      head + tail.slice(0, pick(20)) + tail,
    ]
    text = kinds[pick(kinds.length)] ?? text
  }
  return text
}

t.test(
  `of ${MANY} mutated requests the service sees exactly those that the edge logged as answered by it`,
  async (t) => {
    let seen = 0
    const { port, link, service, admission, tunnel, entries } = await smallEdge(
      t,
      (request, response) => {
        // Whole ones: a body that breaks off never becomes a request that was answered.
        request.resume().on('end', () => {
          seen++
          response.end('ok')
        })
      },
      { limits: { perAddress: { connections: 1000, newPerSecond: 1_000_000, burst: 1_000_000 } } },
    )
    service.on('upgrade', (_request, socket) => {
      seen++
      socket.on('error', () => {})
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    })
    const pick = random(20_261_122)
    const send = async (): Promise<void> => {
      const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      visitor.end(Buffer.from(mutate(SEEDS[pick(SEEDS.length)] ?? '', pick), 'latin1'))
      await collect(visitor)
    }
    for (let sent = 0; sent < MANY; sent += 50) await Promise.all(Array.from({ length: 50 }, send))
    while (tunnel.traffic.open > 0) await once(link, 'summary')
    const logged = entries.filter(({ by }) => by === 'service').length
    t.equal(seen, logged, `${entries.length} logged in all`)
    t.ok(logged > MANY / 10, 'enough of them got through to mean something')
    t.match(await talk(port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`), /200 OK/)
    await deserted(admission)
  },
)
