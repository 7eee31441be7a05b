import { mock } from 'node:test'
import { giveBack, kept, lend } from '@engawa/shared/stream/pool'
import t from 'tap'

const KIB = 1024

t.test('a process keeps 32 MiB of free buffers, and lets go of what was not needed for a while', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const many = Array.from({ length: 200 }, () => lend(256 * KIB))
  for (const buffer of many) giveBack(buffer)
  t.equal(kept(), 32 * KIB * KIB, 'more are left to the garbage collector')
  mock.timers.tick(10_000)
  const ten = Array.from({ length: 10 }, () => lend(256 * KIB))
  for (const buffer of ten) giveBack(buffer)
  t.equal(kept(), 32 * KIB * KIB, 'all of them were needed in the ten seconds before')
  mock.timers.tick(10_000)
  t.equal(kept(), 10 * 256 * KIB, 'ten were needed since')
  mock.timers.tick(10_000)
  t.equal(kept(), 0)
})

t.test('a buffer is the smallest that holds what was asked for, and lent again', async (t) => {
  for (const [asked, size] of [
    [1, 16 * KIB],
    [16 * KIB, 16 * KIB],
    [16 * KIB + 1, 64 * KIB],
    [1000 * KIB, 256 * KIB],
  ] as const) {
    const buffer = lend(asked)
    t.equal(buffer.length, size)
    giveBack(buffer)
    t.equal(lend(asked), buffer)
  }
})
