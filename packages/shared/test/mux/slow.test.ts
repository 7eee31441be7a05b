import t from 'tap'
import { World } from '../support/world.ts'

const KBIT = 1 / 8
/** All that one way carries in both directions of a quiet line, as telephone lines and bad mobile cells have it. */
const SLOW = 100 * KBIT
const FOR_MS = 60_000

interface Load {
  readonly streams: number
  readonly delayMs: number
  /** The line drops what finds so much in its queue, and TCP sends it again; else it keeps everything. */
  readonly queueMs?: number
}

interface Found {
  /** Of what the line carries, what arrived: to the agent and back to the edge. */
  readonly to: number
  readonly back: number
  readonly suspects: number
  readonly losses: number
  readonly longestRttMs: number
}

/** `streams` of bytes that the agent sends back as they come, over one line for two carriers, which nobody else uses. */
function echoOver(rate: number, { streams, delayMs, queueMs }: Load): Found {
  const queue = queueMs === undefined ? {} : { queueBytes: rate * queueMs }
  const world = new World({ maxStreams: 64, credit: 16_384, delayMs, rate, isShared: true, hasRecords: true, ...queue })
  const found = { to: 0, back: 0, suspects: 0, losses: 0, longestRttMs: 0 }
  // The lanes carry zeros: the oracle of their bytes is not asked.
  world.onEvents = ({ name, session, held }) => {
    for (const event of session.takeEvents()) {
      if (event.type === 'carrierSuspect') found.suspects++
      if (event.type === 'carrierLost') {
        found.losses++
        held.delete(event.carrier)
      }
      if (event.type !== 'data') continue
      event.stream.consumed(event.bytes.length)
      if (name === 'agent') event.stream.write(new Uint8Array(event.bytes))
      found[name === 'agent' ? 'to' : 'back'] += event.bytes.length
    }
    return true
  }
  world.dial('works', delayMs)
  world.advance(5000)
  const lanes = Array.from({ length: streams }, () => world.open())
  const chunk = Buffer.alloc(16_384)
  for (const until = world.now + FOR_MS; world.now < until; ) {
    for (const lane of lanes) if (lane?.edge !== undefined && lane.edge.room > 0) lane.edge.write(chunk)
    world.advance(10)
    for (const { rttMs = 0 } of world.edge.session.carriers) found.longestRttMs = Math.max(found.longestRttMs, rttMs)
  }
  return { ...found, to: found.to / (rate * FOR_MS), back: found.back / (rate * FOR_MS) }
}

for (const streams of [1, 2, 8, 32]) {
  t.test(`R7 slow is not dead: ${streams} streams both ways over two carriers on one line of 100 kbit/s`, async (t) => {
    const { to, back, suspects, losses, longestRttMs } = echoOver(SLOW, { streams, delayMs: 20 })
    t.comment(`${to.toFixed(2)} and ${back.toFixed(2)} of the line, RTT ${Math.round(longestRttMs)} ms at most`)
    t.equal(losses, 0, `${suspects} times suspect`)
    t.ok(to > 0.7, `${to} of what the line carries to the agent`)
    t.ok(back > 0.6, `${back} of what it carries back`)
  })
}

/** As `tc tbf` with a latency of 200 ms and a burst of 16 KiB has it, and as a router with a short queue. */
for (const queueMs of [1500, 400, 200]) {
  for (const streams of [2, 8, 32]) {
    t.test(`R8 slow is not dead: ${streams} streams over TCP, and a queue of ${queueMs} ms that drops`, async (t) => {
      const { to, back, suspects, losses, longestRttMs } = echoOver(SLOW, { streams, delayMs: 5, queueMs })
      t.comment(`${to.toFixed(2)} and ${back.toFixed(2)} of the line, RTT ${Math.round(longestRttMs)} ms at most`)
      t.equal(losses, 0, `${suspects} times suspect`)
      t.ok(to > 0.5, `${to} of what the line carries to the agent`)
      t.ok(back > 0.4, `${back} of what it carries back`)
    })
  }
}
