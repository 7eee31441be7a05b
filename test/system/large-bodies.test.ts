import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { rssOf } from '../support/process.ts'
import { LONG } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const SIZE = (LONG ? 5 * 1024 : 256) * MIB
const WARM_UP = 64 * MIB
/** Above what edge and agent hold after smaller bodies each way: what grows with its size would go far beyond. */
const MOST = 64 * MIB
const CHUNK = Buffer.alloc(256 * 1024, 'engawa')

/** Counts what is uploaded, and sends as much as is asked for. */
const service = createServer((asked, answer) => {
  const size = Number(new URL(asked.url ?? '/', 'http://x').searchParams.get('size'))
  let count = 0
  asked.on('data', (bytes: Buffer) => {
    count += bytes.length
  })
  asked.on('end', () => {
    if (asked.method === 'POST') return answer.end(String(count))
    let left = size
    const pour = (): void => {
      while (left > 0) {
        left -= CHUNK.length
        if (!answer.write(CHUNK)) return void answer.once('drain', pour)
      }
      answer.end()
    }
    answer.writeHead(200, { 'Content-Length': size })
    return pour()
  })
}).listen(0, '127.0.0.1')
await once(service, 'listening')
t.teardown(() => service.close().closeAllConnections())

const here = await world(t)
await here.join('home')
const { agent } = await here.publish('home', String((service.address() as AddressInfo).port), '--name', 'web')
const [host = '', port = ''] = here.http.split(':')
const usual = { host, port: Number(port), agent: false as const, headers: { Host: here.host('web') } }
const pids = { edge: here.edge.child.pid ?? 0, agent: agent.child.pid ?? 0 }

async function down(size: number): Promise<number> {
  const asked = request({ ...usual, path: `/?size=${size}` }).end()
  const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream]
  let count = 0
  for await (const bytes of answer) count += (bytes as Buffer).length
  return count
}

async function up(size: number): Promise<number> {
  const asked = request({ ...usual, path: '/', method: 'POST' })
  const answered = once(asked, 'response')
  // oxlint-disable-next-line no-await-in-loop -- as fast as it is taken
  for (let sent = 0; sent < size; sent += CHUNK.length) if (!asked.write(CHUNK)) await once(asked, 'drain')
  asked.end()
  const [answer] = (await answered) as [NodeJS.ReadableStream]
  let text = ''
  for await (const bytes of answer) text += String(bytes)
  return Number(text)
}

t.test(
  `${SIZE / MIB} MiB down and up: memory of edge and agent grows by less than 64 MiB`,
  { timeout: 900_000 },
  async (t) => {
    // As much at a time as V8 lets lie about before it looks for more room: that no size adds to.
    for (let round = 0; round < 2; round++) {
      t.equal(await down(WARM_UP), WARM_UP)
      t.equal(await up(WARM_UP), WARM_UP)
    }
    const before = Object.values(pids).map(rssOf)
    const most = [0, 0]
    const timer = setInterval(() => {
      for (const [at, pid] of Object.values(pids).entries())
        most[at] = Math.max(most[at] ?? 0, rssOf(pid) - (before[at] ?? 0))
    }, 100)
    t.equal(await down(SIZE), SIZE)
    t.equal(await up(SIZE), SIZE)
    clearInterval(timer)
    for (const [at, who] of Object.keys(pids).entries()) {
      t.ok((most[at] ?? 0) < MOST, `${who} grew by ${Math.round((most[at] ?? 0) / MIB)} MiB`)
      t.comment(`${who}: +${Math.round((most[at] ?? 0) / MIB)} MiB`)
    }
  },
)
