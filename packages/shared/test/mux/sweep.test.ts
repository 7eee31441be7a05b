import t from 'tap'
import { nextBytes } from '../support/lane.ts'
import { rest } from '../support/schedule.ts'
import { World } from '../support/world.ts'

const NEVER = Number.POSITIVE_INFINITY

/** A small conversation with everything in it: opened both ways round, answered, ended, reset. */
function converse(world: World): void {
  for (let count = 0; count < 3; count++) world.open()
  const [first, second, third] = world.lanes
  if (first === undefined || second === undefined || third === undefined) throw new Error('no room')
  for (const lane of [first, second, third]) {
    lane.edge?.write(nextBytes(lane.up, 5000))
    lane.up.written += 5000
  }
  second.up.ended = true
  second.edge?.end()
  world.message('edge', '{"type":"drain"}')
  world.advance(12)
  for (const lane of [first, second, third]) {
    if (lane.agent === undefined) continue
    lane.accepted = true
    lane.agent.accept()
    lane.agent.write(nextBytes(lane.down, 9000))
    lane.down.written += 9000
  }
  world.message('agent', '{"type":"leave","id":1}')
  world.advance(12)
  if (first.agent !== undefined) {
    first.down.ended = true
    first.agent.end()
  }
  third.edgeReset = true
  third.edge?.reset('CANCELLED')
  world.advance(300)
}

/** Runs the conversation; `cutsAt` says of each buffer on the wire whether the carrier is cut there, and after how many of its bytes. */
function runCut(cutsAt: (from: 'edge' | 'agent', bytes: Uint8Array) => number | undefined, hearsMs: number): void {
  const world = new World({ maxStreams: 16, credit: 16_384, delayMs: 3 })
  let keep: { toEdge: number; toAgent: number; from: string } | undefined
  world.onSent = (from, link, bytes) => {
    const at = cutsAt(from, bytes)
    if (at === undefined || keep !== undefined) return
    const pipe = from === 'edge' ? link.toAgent : link.toEdge
    keep = { toEdge: NEVER, toAgent: NEVER, from }
    pipe.push(bytes.subarray(0, at), world.now)
    world.cut(link, keep, { edge: hearsMs, agent: hearsMs })
  }
  converse(world)
  rest(world)
}

/** Frames that one direction of the whole conversation takes at least. */
const SWEEP = 40

for (const hearsMs of [0, 30, NEVER]) {
  const how = hearsMs === NEVER ? 'silently' : `and both hear of it after ${hearsMs} ms`
  for (const side of ['edge', 'agent'] as const) {
    t.test(
      `every byte arrives when the carrier is cut after 0 to ${SWEEP} buffers of the ${side}, ${how}`,
      async () => {
        for (let after = 0; after <= SWEEP; after++) {
          let seen = 0
          runCut((from) => (from === side && seen++ === after ? 0 : undefined), hearsMs)
        }
      },
    )

    t.test(`every byte arrives when the carrier is cut at any byte the ${side} sends, ${how}`, async (t) => {
      let total = 0
      runCut((from, bytes) => {
        if (from === side) total += bytes.length
        return undefined
      }, hearsMs)
      t.ok(total > 14_000)
      // Every byte of the first frames and of the last, and every 7th between.
      for (let at = 0; at < total; at += at < 600 || at > total - 400 ? 1 : 7) {
        let seen = 0
        runCut((from, bytes) => {
          if (from !== side) return undefined
          seen += bytes.length
          return seen > at && seen - bytes.length <= at ? at - (seen - bytes.length) : undefined
        }, hearsMs)
      }
    })
  }
}

for (let first = 0; first <= 20; first += 2) {
  t.test(
    `every byte arrives when the carrier is cut after ${first} buffers, and the next one again and again`,
    async () => {
      for (let second = 0; second <= 20; second++) {
        const world = new World({ maxStreams: 16, credit: 16_384, delayMs: 3 })
        const seen = new Map<number, number>()
        world.onSent = (_from, link) => {
          const count = (seen.get(link.number) ?? 0) + 1
          seen.set(link.number, count)
          const limit = link.number === 1 ? first : link.number < 5 ? second : NEVER
          if (count > limit) world.cut(link, { toEdge: second * 11, toAgent: second * 13 }, { edge: 1, agent: 2 })
        }
        converse(world)
        rest(world)
      }
    },
  )
}
