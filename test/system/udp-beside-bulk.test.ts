import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { connect } from '../support/socket.ts'
import { LONG } from '../support/tools.ts'
import { udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

/** 50 a second. */
const EVERY_MS = 20
const COUNT = LONG ? 500 : 100
/** Of 100 the p99 is the worst one, and beside other tests theirs as well: in the short form the median tells. */
const MOST_RISE_MS = LONG ? { median: 30, p99: 30 } : { median: 300, p99: 1000 }

interface Round {
  readonly median: number
  readonly p99: number
  readonly lost: number
}

t.test('fifty datagrams a second beside a bulk transfer', async (t) => {
  const here = await world(t)
  const echo = await udpEcho(t)
  const { bulk } = await here.services()
  await here.join('home')
  const { tunnels } = await here.publish('home', [`udp://${echo.address().port}`, `tcp://${bulk}`])
  const of = (protocol: string): number => tunnels.find((tunnel) => tunnel.protocol === protocol)?.port ?? 0
  const visitor = await udpSocket(t)
  const sentAt = new Map<number, number>()
  const took: number[] = []
  visitor.on('message', (bytes) => {
    const number = bytes.readUInt32BE(0)
    const since = sentAt.get(number)
    if (since !== undefined) took.push(performance.now() - since)
    sentAt.delete(number)
  })
  let last = 0
  const round = async (): Promise<Round> => {
    took.length = 0
    sentAt.clear()
    for (let count = 0; count < COUNT; count++) {
      const bytes = Buffer.alloc(200)
      bytes.writeUInt32BE(++last)
      sentAt.set(last, performance.now())
      visitor.send(bytes, of('udp'), '127.0.0.1')
      // oxlint-disable-next-line no-await-in-loop -- the pace is the point
      await delay(EVERY_MS)
    }
    for (let looks = 0; sentAt.size > 0 && looks < 50; looks++) {
      // oxlint-disable-next-line no-await-in-loop -- the last ones are on their way
      await delay(EVERY_MS)
    }
    const sorted = took.toSorted((a, b) => a - b)
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
    return { median: at(0.5), p99: at(0.99), lost: COUNT - took.length }
  }
  const alone = await round()
  const transfer = await connect(of('tcp'))
  transfer.on('error', () => {}).resume()
  transfer.write(`get bulk ${8 * 1024 ** 3}\n`)
  const beside = await round()
  transfer.destroy()
  const told = ({ median, p99, lost }: Round): string =>
    `median ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, lost ${lost} of ${COUNT}`
  t.comment(`alone: ${told(alone)}; beside: ${told(beside)}`)
  t.ok(beside.lost <= COUNT / (LONG ? 10 : 4), `${beside.lost} lost`)
  t.ok(beside.median - alone.median <= MOST_RISE_MS.median, `median ${alone.median} → ${beside.median} ms`)
  t.ok(beside.p99 - alone.p99 <= MOST_RISE_MS.p99, `p99 ${alone.p99} → ${beside.p99} ms`)
})
