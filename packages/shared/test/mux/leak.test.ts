import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { nextBytes } from '../support/lane.ts'
import { rest } from '../support/schedule.ts'
import { World } from '../support/world.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

function heap(): number {
  gc()
  return process.memoryUsage().heapUsed
}

/** Twenty streams in every state a stream can be in, a lost carrier, and all comes to rest. */
function round(world: World, turn: number): void {
  for (let count = 0; count < 20; count++) {
    const lane = world.open()
    if (lane?.edge === undefined) throw new Error('no room')
    lane.edge.write(nextBytes(lane.up, 700))
    lane.up.written += 700
    if (count % 5 === 0) {
      lane.edgeReset = true
      lane.edge.reset('CANCELLED')
    }
  }
  world.message('edge', `{"type":"drain","turn":${turn}}`)
  world.advance(turn % 9)
  for (const lane of world.lanes) {
    if (lane.agent === undefined || lane.index % 5 !== 1) continue
    lane.agentReset = true
    lane.agent.reset('SERVICE_BROKE')
  }
  const [link] = world.links
  if (link !== undefined) world.cut(link, { toEdge: turn * 31, toAgent: turn * 17 }, { edge: 2, agent: 5 })
  world.dial(turn % 7 === 0 ? 'attachLost' : turn % 7 === 1 ? 'welcomeLost' : 'works', 3)
  rest(world)
  world.forget()
}

t.test('a session that has carried thousands of streams over hundreds of carriers is as small as before', async (t) => {
  const world = new World({ maxStreams: 64, credit: 16_384, delayMs: 3 })
  let before = 0
  for (let turn = 1; turn <= 400; turn++) {
    round(world, turn)
    if (turn === 100) before = heap()
  }
  const grown = (heap() - before) / 1024
  t.comment(`${grown.toFixed(0)} KiB after 300 rounds, 6,000 streams, 300 carriers`)
  t.ok(grown < 512, `${grown} KiB grown`)
  t.ok(world.edge.session.figures.carriersLost >= 400)
  t.same(world.agent.session.lostReport(100_000).length < 8, true, 'nothing piles up that nobody acknowledges')
})
