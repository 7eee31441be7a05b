import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { connect } from '../support/socket.ts'
import { LONG } from '../support/tools.ts'
import { udpEcho, udpSocket } from '../support/udp.ts'
import { world } from '../support/world.ts'

/** 50 a second. */
const EVERY_MS = 20
const COUNT = LONG ? 500 : 100

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
  const round = async (): Promise<{ p99: number; lost: number }> => {
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
    return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN, lost: COUNT - took.length }
  }
  const alone = await round()
  const transfer = await connect(of('tcp'))
  transfer.on('error', () => {}).resume()
  transfer.write(`get bulk ${8 * 1024 ** 3}\n`)
  const beside = await round()
  transfer.destroy()
  t.comment(
    `p99 ${alone.p99.toFixed(1)} ms alone, ${beside.p99.toFixed(1)} ms beside; lost ${alone.lost} and ${beside.lost} of ${COUNT}`,
  )
  t.ok(beside.lost <= COUNT / (LONG ? 10 : 2), `${beside.lost} lost`)
  // The short form runs beside other tests: its figures are theirs as well.
  t.ok(beside.p99 - alone.p99 <= (LONG ? 30 : 3000))
})
