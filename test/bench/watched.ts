// Loaded before edge and agent by mixed.ts, behind counts.ts: at each SIGUSR2 every process of theirs also says
//   loop {pid, p50, p99, most}   by how much its event loop came late, milliseconds, since the first time; without what
//                                the collections for the counts take, which monitorEventLoopDelay could not leave out
import { createHistogram } from 'node:perf_hooks'

/** Often enough to see what holds the loop up, and cheap enough not to. */
const EVERY_MS = 5
/** The collections are over by then. */
const PAUSE_MS = 200

const delays = createHistogram()
/** When the loop was here last; undefined while nothing counts. */
let lastAt: number | undefined

setInterval(() => {
  const now = performance.now()
  // A histogram has no zero.
  if (lastAt !== undefined) delays.record(Math.max(1, Math.round((now - lastAt - EVERY_MS) * 1e6)))
  if (lastAt !== undefined) lastAt = now
}, EVERY_MS).unref()

process.on('SIGUSR2', () => {
  lastAt = undefined
  const { max } = delays
  const [p50, p99, most] = [delays.percentile(50), delays.percentile(99), max].map((value) => value / 1e6)
  process.stdout.write(`${JSON.stringify({ event: 'loop', pid: process.pid, p50, p99, most })}\n`)
  setTimeout(() => {
    lastAt = performance.now()
  }, PAUSE_MS).unref()
})
