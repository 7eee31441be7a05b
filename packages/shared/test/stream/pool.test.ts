import { mock } from 'node:test'
import t from 'tap'
import { giveBack, lend } from '../../src/stream/pool.ts'

const MB = 1024 * 1024
const LARGE = 256 * 1024
const SPAN_MS = 10_000

/** How many bytes of large buffers come back that were lent before; they are in use then. */
function known(before: ReadonlySet<Uint8Array>): { bytes: number; buffers: Uint8Array[] } {
  const buffers: Uint8Array[] = []
  for (let buffer = lend(LARGE); before.has(buffer); buffer = lend(LARGE)) buffers.push(buffer)
  return { bytes: buffers.length * LARGE, buffers }
}

t.test('the pool keeps what many streams need, and gives up what nobody needed for a while', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const lent = new Set(Array.from({ length: 200 }, () => lend(LARGE)))
  for (const buffer of lent) giveBack(buffer)
  const all = known(lent)
  t.equal(all.bytes, 32 * MB, 'of 50 MiB')
  for (const buffer of all.buffers) giveBack(buffer)
  for (let span = 0; span < 3; span++) {
    mock.timers.tick(SPAN_MS - 1)
    const used = Array.from({ length: 96 }, () => lend(LARGE))
    for (const buffer of used) giveBack(buffer)
    mock.timers.tick(1)
  }
  const rest = known(lent)
  t.equal(rest.bytes, 24 * MB, 'what was in use')
  for (const buffer of rest.buffers) giveBack(buffer)
  for (let span = 0; span < 4; span++) mock.timers.tick(SPAN_MS)
  t.equal(known(lent).bytes, 8 * MB, 'what is kept for good')
})
