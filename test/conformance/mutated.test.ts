import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { collect, edgeBefore, talk } from '../../packages/edge/test/support/edge.ts'
import { Random, seedOfRun } from '../../packages/shared/test/support/random.ts'
import { LONG } from '../support/tools.ts'
import { REQUESTS } from './requests.ts'
import { get, HOST, NAME, post } from './row.ts'
import { Witness } from './witness.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** So many in all, a thousand from each seed: a failure names the one to begin with. */
const MANY = Number(process.env['ENGAWA_REQUESTS'] ?? (LONG ? 1_000_000 : 3000))
const EACH = 1000
const AT_ONCE = 50
const SEED = seedOfRun()
const GROWN_MIB = 32
/** Visitor, edge and service are one process here, and another test may run beside it. */
const STALL_MS = LONG ? 1000 : 3000

/** Requests that make sense, since it takes one to get far, and then every row of the table that is not huge. */
const SENSIBLE = [
  get('/a?b=c', `${HOST}Accept: */*\r\nCookie: a=b\r\n`),
  post('Content-Length: 5\r\n', 'hello'),
  post('Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n', '5\r\nhello\r\n0\r\nX-Sum: y\r\n\r\n'),
  post('Expect: 100-continue\r\nContent-Length: 2\r\n', 'hi'),
  get('/chat', `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`),
  `GET /f HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n${get('/g')}`,
  get('/one') + post('Transfer-Encoding: chunked\r\n', 'a\r\n0123456789\r\n0\r\n\r\n') + get('/two'),
  post('Content-Length: 10\r\n', '0123456789') + `HEAD /h HTTP/1.1\r\n${HOST}\r\n${get('/three')}`,
]
const ROWS = Object.values(REQUESTS).flatMap((rows) =>
  rows.map(({ bytes }) => bytes).filter(({ length }) => length < 2000),
)
const SPICE = [
  ['\r\n', '\n', '\r', '\0', ' ', '\t', '\v', ':', ',', ';', '_', '%', '"', '\xff', '\x85', '0', '-1', '0x1'],
  ['\r\n ', '\r\n\r\n', '\n\n', '0\r\n\r\n', '5\r\nhello\r\n', '1;x=y\r\nz\r\n', 'chunked', 'HTTP/1.1', ' HTTP/1.0'],
  [HOST, 'Host: other.test\r\n', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n'],
  ['Content-Length: 1\r\n', 'Content-Length: 0\r\n', 'Connection: close\r\n', 'Connection: Content-Length\r\n'],
  ['Expect: 100-continue\r\n', 'Connection: Upgrade\r\nUpgrade: websocket\r\n', 'X-Forwarded-For: 6.6.6.6\r\n'],
  [get('/smuggled')],
].flat()

function mutated(random: Random): string {
  let text = random.chance(60) ? random.pick(SENSIBLE) : random.pick(ROWS)
  for (let times = random.below(3); times >= 0; times--) {
    const at = random.below(text.length + 1)
    const [head, tail] = [text.slice(0, at), text.slice(at)]
    const kinds = [
      () => head + random.pick(SPICE) + tail,
      () => head + tail.slice(1 + random.below(4)),
      () => head + String.fromCharCode(random.below(256)) + tail.slice(1),
      () => head + tail.slice(0, random.below(20)) + tail,
      () => head + random.pick(random.chance(50) ? SENSIBLE : ROWS).slice(random.below(60)),
    ]
    text = random.pick(kinds)()
  }
  return text
}

/** Sends it, in one piece or in two, with a FIN, and hears the connection out. */
async function send(port: number, random: Random): Promise<void> {
  const bytes = Buffer.from(mutated(random), 'latin1')
  const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const heard = collect(visitor)
  visitor.on('end', () => visitor.destroy())
  const first = random.chance(30) ? random.below(bytes.length + 1) : 0
  if (first > 0) await new Promise((resolve) => visitor.write(bytes.subarray(0, first), resolve))
  visitor.end(bytes.subarray(first))
  await heard
}

t.test(
  `of ${MANY} mutated requests the service counts exactly those that the edge logged as answered by it`,
  { timeout: 900_000 },
  async (t) => {
    const witness = await Witness.open()
    t.teardown(() => witness.close())
    const limits = { perAddress: { connections: 1000, newPerSecond: 1_000_000, burst: 1_000_000 } }
    const { port, link, admission, tunnel, entries } = await edgeBefore(t, witness.port, {
      host: NAME,
      domain: 'tunnel.test',
      limits,
    })
    t.comment(`ENGAWA_SEED=${SEED}`)
    const figures = { sent: 0, counted: 0, refused: 0, torn: 0 }
    const delay = monitorEventLoopDelay({ resolution: 20 })
    let before = 0
    for (let seed = SEED; figures.sent < MANY; seed++) {
      const random = new Random(seed)
      for (let count = 0; count < EACH; count += AT_ONCE)
        // oxlint-disable-next-line no-await-in-loop -- so many at once
        await Promise.all(Array.from({ length: AT_ONCE }, () => send(port, random)))
      // oxlint-disable-next-line no-await-in-loop -- the last of them are being put away
      while (tunnel.traffic.open > 0 || admission.door.total > 0) await new Promise(setImmediate)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await witness.quiet()
      const counted = witness.seen.splice(0).filter(({ text }) => !text.startsWith('raw ')).length
      const logged = entries.splice(0)
      const answered = logged.filter(({ by }) => by === 'service').length
      const faults = witness.faults.splice(0)
      // One assertion for each thousand would be a thousand lines; one that fails says all.
      if (counted !== answered || faults.length > 0) {
        t.equal(counted, answered, `ENGAWA_SEED=${seed} ENGAWA_REQUESTS=${EACH}`)
        t.strictSame(faults, [], `nothing odd reaches the service, ENGAWA_SEED=${seed} ENGAWA_REQUESTS=${EACH}`)
        break
      }
      figures.sent += EACH
      figures.counted += counted
      figures.refused += logged.length - answered
      figures.torn += witness.torn
      witness.torn = 0
      for (const list of [link.streams, link.openings, link.summaries]) list.length = 0
      if (before > 0) continue
      // What is made once has been made.
      gc()
      before = process.memoryUsage().heapUsed
      delay.enable()
    }
    delay.disable()
    gc()
    const grownMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20
    const stallMs = delay.max / 1e6
    const { sent, counted, refused, torn } = figures
    t.comment(`${sent} sent; the service counted ${counted}, the edge answered ${refused} itself, ${torn} broke off`)
    t.comment(`${grownMiB.toFixed(1)} MiB grown, longest stall ${stallMs.toFixed(0)} ms`)
    t.ok(counted > sent / 10, 'enough of them got through to mean something')
    t.ok(grownMiB <= GROWN_MIB, `${grownMiB} MiB`)
    t.ok(stallMs <= STALL_MS, `${stallMs} ms`)
    t.match(await talk(port, get('/', `${HOST}Connection: close\r\n`)), /200 OK/)
  },
)
