import t from 'tap'
import { Memory } from '../../src/guard/memory.ts'
import { smallEdge, talk } from '../support/edge.ts'

const ASK = 'GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n'

t.test('pressure follows the share, read at most twice a second', async (t) => {
  let share = 0.5
  let now = 0
  let reads = 0
  const memory = new Memory(
    { memoryBusyPercent: 70, memoryFullPercent: 85 },
    () => {
      reads++
      return share
    },
    () => now,
  )
  t.equal(memory.pressure, 'none')
  share = 0.7
  t.equal(memory.pressure, 'none')
  now = 500
  t.equal(memory.pressure, 'busy')
  share = 0.9
  now = 1000
  t.equal(memory.pressure, 'full')
  for (let times = 0; times < 100; times++) t.equal(memory.pressure, 'full')
  t.equal(reads, 3)
  t.equal(new Memory({ memoryBusyPercent: 99, memoryFullPercent: 100 }).pressure, 'none', 'of this process')
})

t.test('under pressure requests get 503, at last connections too', async (t) => {
  let share = 0
  let now = 0
  const memory = new Memory(
    { memoryBusyPercent: 70, memoryFullPercent: 85 },
    () => share,
    () => (now += 1000),
  )
  const { port, link } = await smallEdge(t, (_request, response) => response.end('ok'), { memory })
  t.match(await talk(port, ASK), /200 OK/)
  share = 0.75
  t.match(await talk(port, ASK), /503 [^]*Retry-After[^]*EDGE_BUSY/)
  share = 0.9
  t.match(await talk(port, ''), /503 [^]*EDGE_BUSY/, 'before it has asked for anything')
  share = 0
  t.match(await talk(port, ASK), /200 OK/)
  t.equal(link.streams.length, 2)
})
