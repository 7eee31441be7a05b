import { Channel, WithHandle } from '@engawa/edge/front/channel'
import { EngawaError } from '@engawa/shared/errors'
import t from 'tap'

interface Calls {
  double(body: number): number
  socket(body: object): { held: boolean }
  refuse(body: object): void
  unknown(body: object): void
}

/** Two ends; messages go as JSON, as through a pipe. */
function pair() {
  const told: unknown[] = []
  const near: Channel<Calls> = new Channel<Calls>(
    { send: (message, handle) => far.received(copy(message), handle) },
    {},
  )
  const far: Channel<object> = new Channel<object>(
    { send: (message, handle) => near.received(copy(message), handle) },
    {
      double: (body: number) => {
        told.push(body)
        return 2 * body
      },
      socket: () => new WithHandle({ held: true }, 'the handle'),
      refuse: () => {
        throw new EngawaError('CONFIG_INVALID', 'edge.yaml:1:1 wrong', { ja: '違います' })
      },
    },
  )
  return { near, far, told }
}

function copy(message: object): unknown {
  return JSON.parse(JSON.stringify(message))
}

t.test('what is asked is answered, with a handle where there is one', async (t) => {
  const { near, told } = pair()
  t.same(await near.call('double', 21), { body: 42, handle: undefined })
  t.same(await near.call('socket', {}), { body: { held: true }, handle: 'the handle' })
  near.tell('double', 1)
  await near.call('double', 2)
  t.same(told, [21, 1, 2], 'in order')
})

t.test('an error keeps its code and its words; what is not known is refused', async (t) => {
  const { near } = pair()
  await t.rejects(near.call('refuse', {}), { code: 'CONFIG_INVALID', message: 'edge.yaml:1:1 wrong', ja: '違います' })
  await t.rejects(near.call('unknown', {}), { code: 'INTERNAL', message: /unknown/ })
})

t.test('who waits when the other end goes is told so', async (t) => {
  const silent = new Channel<Calls>({ send: () => {} }, {})
  const waiting = silent.call('double', 1)
  silent.close()
  await t.rejects(waiting, { code: 'INTERNAL' })
  await t.rejects(silent.call('double', 1), { code: 'INTERNAL' })
  silent.tell('double', 1)
})
