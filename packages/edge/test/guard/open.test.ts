import { mock } from 'node:test'
import type { Stream } from '@engawa/shared/mux/events'
import t from 'tap'
import { OpenStreams } from '../../src/guard/open.ts'
import type { Tunnel } from '../../src/tunnel/tunnel.ts'

/** As far as it is looked at here. */
function streamLike(): { closed: boolean; reset: () => void } {
  return { closed: false, reset: () => {} }
}

t.test('a crowd that has gone leaves nothing behind', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const open = new OpenStreams()
  const tunnel = {} as Tunnel
  const crowd = Array.from({ length: 10_000 }, streamLike)
  for (const one of crowd) open.add(tunnel, '192.0.2.1', one as unknown as Stream)
  mock.timers.tick(60_000)
  t.equal(open.held, 10_000, 'as long as they are open')
  for (const one of crowd.slice(1)) one.closed = true
  mock.timers.tick(10_000)
  t.equal(open.held, 1)
  const [last] = crowd
  if (last !== undefined) last.closed = true
  mock.timers.tick(10_000)
  t.equal(open.held, 0)
  open.add(tunnel, '192.0.2.1', streamLike() as unknown as Stream)
  t.equal(open.held, 1, 'and whoever comes then is held to the rules as ever')
})

t.test('a changed rule reaches also what comes in place of what it has cut', async (t) => {
  const open = new OpenStreams()
  let admitted = true
  const tunnel = { rules: { admits: () => admitted } } as unknown as Tunnel
  let kept = 0
  const openOne = (left: number): void => {
    kept++
    const stream = {
      closed: false,
      reset: (): void => void (stream.closed = true),
      handler: {
        // As a request that waited for this connection, or one that is sent once more.
        reset: (): void => {
          kept--
          if (left > 0) openOne(left - 1)
        },
      },
    }
    open.add(tunnel, '192.0.2.1', stream as unknown as Stream)
  }
  for (let count = 0; count < 63; count++) openOne(2)
  admitted = false
  open.enforce(tunnel)
  t.equal(kept, 0)
})
