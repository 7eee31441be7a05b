import { request } from 'node:http'
import type { Stream } from '@engawa/shared/mux/events'
import t from 'tap'
import { ServiceAgent, type ServiceOptions } from '../../src/forward/service.ts'

/** A stream that nothing comes of. */
function silent(): Stream {
  const stream = { id: 1, opening: new Uint8Array(0), handler: undefined, room: 65_536, received: 0, sent: 0 }
  return {
    ...stream,
    closed: false,
    write: (_, release) => release?.(),
    end: () => undefined,
    reset: () => undefined,
    consumed: () => undefined,
    accept: () => undefined,
  }
}

t.test('a service connection costs the same after a thousand requests as after one', async (t) => {
  const agent = new ServiceAgent()
  t.teardown(() => agent.destroy())
  const connection = agent.createConnection({ open: silent })
  t.teardown(() => connection.destroy())
  const options: ServiceOptions = { agent, service: 'one', open: silent }
  const next = request(options)
  next.on('error', () => undefined)
  t.teardown(() => next.destroy())
  const after = (requests: number): number => {
    for (let count = 0; count < requests; count++) {
      t.equal(agent.keepSocketAlive(connection), true)
      agent.reuseSocket(connection, next)
    }
    return connection.listenerCount('close')
  }
  t.equal(after(1), after(1000))
})
