import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { Server } from '@engawa/agent/serve'
import type { Published } from '@engawa/agent/tunnels'
import { parseWish } from '@engawa/agent/wish'
import type { Code } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { encodeOpening, NOWHERE } from '@engawa/shared/wire/opening'
import t, { type Test } from 'tap'

/** A stream that only remembers what it was told. */
class Told implements Stream {
  readonly id = 1
  readonly room = 65_536
  readonly received = 0
  readonly sent = 0
  closed = false
  handler: Stream['handler']
  readonly resets: Code[] = []
  accepted = false
  readonly opening: Uint8Array = encodeOpening({
    service: 1,
    portIndex: 0,
    protocol: 'tcp',
    visitor: NOWHERE,
    public: NOWHERE,
  })
  readonly #reset: PromiseWithResolvers<Code> = Promise.withResolvers()

  get reached(): Promise<Code> {
    return this.#reset.promise
  }

  write(): void {}
  end(): void {}
  consumed(): void {}
  accept(): void {
    this.accepted = true
  }

  reset(code: Code): void {
    this.resets.push(code)
    this.closed = true
    this.#reset.resolve(code)
  }
}

/**
 * A port at which connections neither come about nor fail. The process behind it has blocked its own thread and never
 * accepts; Linux queues one connection more than the backlog says and leaves the next without an answer.
 */
async function hole(t: Test): Promise<number> {
  const backlog = 1
  const program = `
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: ${backlog} }, () => {
      require('node:fs').writeSync(1, String(server.address().port) + '\\n')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(String(line))
  for (let filled = 0; filled < backlog + 1; filled++) {
    const filler = connect(port, '127.0.0.1').on('error', () => {})
    t.teardown(() => filler.destroy())
    // oxlint-disable-next-line no-await-in-loop -- each takes one place
    await once(filler, 'connect')
  }
  return port
}

function world(port: number, connectMs: number) {
  const published: Published = {
    service: 1,
    owner: { tell: () => {} },
    wish: parseWish({ target: `tcp://${port}` }),
    name: 'hole',
    state: 'bound',
    bound: undefined,
    traffic: { total: 0, open: 0, received: 0, sent: 0, dropped: 0 },
  }
  const tried: (Code | undefined)[] = []
  const find = (service: number): Published | undefined => (service === 1 ? published : undefined)
  return { tried, server: new Server({ find, onTried: (_, failure) => tried.push(failure), connectMs }) }
}

t.test('a service that does not answer', async (t) => {
  const port = await hole(t)

  await t.test('is given up after a while', async (t) => {
    const { server, tried } = world(port, 100)
    const stream = new Told()
    server.opened(stream)
    t.equal(await stream.reached, 'SERVICE_TIMEOUT')
    t.same(tried, ['SERVICE_TIMEOUT'])
    t.notOk(stream.accepted)
  })

  await t.test('has all the time that the session has no carrier', async (t) => {
    const { server } = world(port, 100)
    const stream = new Told()
    server.pause()
    server.opened(stream)
    const other = new Told()
    server.resume()
    server.opened(other)
    server.pause()
    await new Promise((resolve) => setTimeout(resolve, 250))
    t.same([...stream.resets, ...other.resets], [])
    server.resume()
    t.equal(await stream.reached, 'SERVICE_TIMEOUT')
    t.equal(await other.reached, 'SERVICE_TIMEOUT')
  })

  await t.test('is not told of when the visitor leaves first', async (t) => {
    const { server, tried } = world(port, 100)
    const stream = new Told()
    server.opened(stream)
    stream.handler?.reset('CANCELLED')
    await server.drain(1000)
    t.same(stream.resets, [])
    t.same(tried, [])
  })
})

t.test('an opening that makes no sense is a violation', async (t) => {
  const { server } = world(1, 100)
  const stream = new Told()
  Object.assign(stream, { opening: new Uint8Array(3) })
  t.throws(() => server.opened(stream), { code: 'PROTOCOL_VIOLATION' })
})
