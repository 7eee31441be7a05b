import t from 'tap'
import type { Clock } from '../../src/carrier/clock.ts'
import { Pump } from '../../src/carrier/pump.ts'
import { EngawaError } from '../../src/errors.ts'
import { Session } from '../../src/mux/session.ts'
import { encodeAll } from '../support/frames.ts'
import { linked, listener, MemoryCarrier, memoryCarriers } from '../support/linked.ts'
import { Random } from '../support/random.ts'

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate)
}

t.test('bytes, ends, messages and flows come to their handlers', async (t) => {
  const { edge, agent, told, open } = linked()
  const [mine, theirs] = await open()
  const came: string[] = []
  theirs.handler = {
    data: (bytes) => {
      came.push(Buffer.from(bytes).toString())
      theirs.consumed(bytes.length)
    },
    end: () => came.push('end'),
    reset: (code) => came.push(`reset ${code}`),
    drain: () => undefined,
  }
  mine.write(Buffer.from('hello'))
  mine.end()
  await until(() => came.length === 2)
  t.same(came, ['hello', 'end'])
  agent.session.sendMessage(Buffer.from('{"type":"drain"}'))
  const flow = edge.session.openFlow(new Uint8Array(46))
  edge.session.sendDatagram(flow, Buffer.from('x'))
  await until(() => told.edge.length > 0 && told.agent.length > 0)
  t.same(told.edge, ['message {"type":"drain"}'])
  t.same(told.agent, [`datagram ${flow}`])
  edge.end('SESSION_CLOSED', 'enough')
  t.equal(told.edge.at(-1), 'closed SESSION_CLOSED false')
  await until(() => told.agent.some((text) => text.startsWith('closed')))
  t.equal(told.agent.at(-1), 'closed SESSION_CLOSED true', 'the GOAWAY went out before the carrier closed')
  t.ok(edge.paused && agent.paused)
})

t.test('a lost carrier: away, resumed, and what was written meanwhile arrives', async (t) => {
  const { edge, agent, told, open } = linked()
  const [mine, theirs] = await open()
  let came = 0
  theirs.handler = {
    data: (bytes) => {
      came += bytes.length
      theirs.consumed(bytes.length)
    },
    end: () => undefined,
    reset: () => (came = -1),
    drain: () => undefined,
  }
  mine.write(Buffer.alloc(5_000))
  await until(() => came === 5_000)
  edge.carrier(1)?.destroy()
  await until(() => told.edge.includes('away') && told.agent.includes('away'))
  t.same(told.edge, ['carrierLost 1 0 closed', 'away'])
  t.ok(edge.paused)
  mine.write(Buffer.alloc(7_000))
  await turns(3)
  const [a, b] = memoryCarriers()
  const number = agent.session.nextCarrier()
  const now = performance.now()
  edge.session.applyLost(agent.session.lostReport(number), now)
  const report = edge.session.lostReport(number)
  edge.attach(number, a)
  agent.session.applyLost(report, now)
  agent.attach(number, b)
  await until(() => came === 12_000)
  t.ok(told.edge.includes('resumed 1'))
  t.ok(told.agent.includes('resumed 1'))
  t.notOk(edge.paused)
  edge.end('SESSION_CLOSED')
  await until(() => agent.session.ended)
})

t.test('a handler that throws loses its stream, and nobody else notices', async (t) => {
  const { edge, agent, told, open } = linked()
  const [bad, badPeer] = await open()
  const [good, goodPeer] = await open()
  const seen: string[] = []
  badPeer.handler = {
    data: () => {
      throw new TypeError('a bug')
    },
    end: () => undefined,
    reset: (code) => seen.push(`own ${code}`),
    drain: () => undefined,
  }
  bad.handler = {
    data: () => undefined,
    end: () => undefined,
    reset: (code) => seen.push(`peer ${code}`),
    drain: () => undefined,
  }
  goodPeer.handler = {
    data: (bytes) => seen.push(`good ${bytes.length}`),
    end: () => undefined,
    reset: () => undefined,
    drain: () => undefined,
  }
  bad.write(Buffer.from('x'))
  await until(() => seen.includes('peer STREAM_ABORTED'))
  good.write(Buffer.from('yy'))
  await until(() => seen.includes('good 2'))
  t.same(seen, ['own STREAM_ABORTED', 'peer STREAM_ABORTED', 'good 2'])
  t.same(told.agent, ['failed TypeError: a bug'])
  edge.end('SESSION_CLOSED')
  await until(() => agent.session.ended)
})

t.test('a message that its reader refuses ends the session with its code', async (t) => {
  const { edge, agent, told } = linked({
    edge: {
      message: () => {
        throw new EngawaError('MESSAGE_INVALID', 'no such message')
      },
    },
  })
  agent.session.sendMessage(Buffer.from('{}'))
  await until(() => agent.session.ended)
  t.same(told.edge, ['closed MESSAGE_INVALID false'])
  t.same(told.agent, ['closed MESSAGE_INVALID true'])
  t.ok(edge.session.ended)
})

t.test('random bytes end the session, with a code and without a throw', async (t) => {
  const { edge, agent, told } = linked()
  agent.carrier(1)?.send([Buffer.alloc(64, 0xee)])
  await until(() => edge.session.ended && agent.session.ended)
  t.same(told.edge, ['closed FRAME_UNKNOWN false'])
})

t.test('a carrier of a session that is over is closed at once', async () => {
  const { edge, agent } = linked()
  edge.end('SESSION_CLOSED')
  const [a, b] = memoryCarriers()
  const closed = new Promise<void>((resolve) => {
    b.onClosed = () => resolve()
  })
  edge.attach(2, a)
  await closed
  await until(() => agent.session.ended)
})

/** Time that goes from timer to timer, with one timer at most. */
class StepClock implements Clock {
  at = 1000
  timers = 0
  #due: { readonly run: () => void; readonly at: number } | undefined
  readonly #soon: (() => void)[] = []

  now(): number {
    return this.at
  }
  setTimer(run: () => void, delayMs: number): unknown {
    this.#due = { run, at: this.at + delayMs }
    return this.#due
  }
  clearTimer(): void {
    this.#due = undefined
  }
  soon(run: () => void): void {
    this.#soon.push(run)
  }
  advance(ms: number): void {
    const until = this.at + ms
    for (;;) {
      for (let run = this.#soon.shift(); run !== undefined; run = this.#soon.shift()) run()
      const due = this.#due
      if (due === undefined || due.at > until) break
      this.#due = undefined
      this.at = due.at
      this.timers++
      due.run()
    }
    this.at = until
  }
}

t.test('a socket that takes nothing is not looked at each millisecond, and its carrier is lost in time', async (t) => {
  const clock = new StepClock()
  const told: string[] = []
  const edge = new Pump(new Session({ side: 'edge', maxStreams: 100 }, clock.now()), listener(told), clock)
  const [carrier] = memoryCarriers()
  edge.attach(1, carrier)
  clock.advance(10)
  carrier.onBytes(encodeAll({ type: 'pong', token: 1 }))
  edge.session.open(new Uint8Array(46))
  clock.advance(10)
  Object.defineProperty(carrier, 'backlogBytes', { value: 1024 * 1024 })
  clock.timers = 0
  clock.advance(4000)
  t.ok(told.includes('carrierSuspect 1'), told.join())
  t.ok(clock.timers < 500, `${clock.timers} looks in 4 s`)
  clock.advance(8000)
  t.ok(told.includes('carrierLost 1 0 silent'), told.join())
})

/** As a socket that has no room: keeps what was sent, as it is, until `take`. */
class SlowCarrier extends MemoryCarrier {
  readonly memory = new Set<ArrayBufferLike>()
  #queue: (readonly Uint8Array[])[] = []

  override get backlogBytes(): number {
    return this.#queue.flat().reduce((sum, { length }) => sum + length, 0)
  }
  override send(buffers: readonly Uint8Array[]): void {
    for (const { buffer } of buffers) this.memory.add(buffer)
    this.#queue.push(buffers)
  }
  take(): void {
    const [first] = this.#queue.splice(0, 1)
    if (first !== undefined) super.send(first)
    if (this.#queue.length === 0) this.onDrained()
  }
}

function length(of: readonly Buffer[]): number {
  return of.reduce((sum, bytes) => sum + bytes.length, 0)
}

t.test('the memory of small frames is used again, and never while a carrier holds some of it', async (t) => {
  const random = new Random(7)
  const now = performance.now()
  const came: Buffer[] = []
  const agent = new Pump(
    new Session({ side: 'agent', maxStreams: 100 }, now),
    listener([], {
      opened: (stream) => {
        stream.handler = {
          data: (bytes) => {
            came.push(Buffer.from(new Uint8Array(bytes)))
            stream.consumed(bytes.length)
          },
          end: () => undefined,
          reset: () => undefined,
          drain: () => undefined,
        }
      },
    }),
  )
  const edge = new Pump(new Session({ side: 'edge', maxStreams: 100 }, now), listener([]))
  const slow = [new SlowCarrier(), new SlowCarrier()] as const
  for (const [at, one] of slow.entries()) {
    const [far] = memoryCarriers()
    const peer = far as MemoryCarrier
    one.peer = peer
    peer.peer = one
    agent.session.nextCarrier()
    edge.attach(at + 1, one)
    agent.attach(at + 1, peer)
  }
  const stream = edge.session.open(new Uint8Array(46))
  stream.handler = { data: () => undefined, end: () => undefined, reset: () => undefined, drain: () => undefined }
  const written: Buffer[] = []
  const allTaken = (): Promise<void> =>
    until(() => {
      for (const one of slow) one.take()
      return length(came) === length(written) || edge.session.ended || agent.session.ended
    })
  for (let round = 0; round < 3000; round++) {
    const bytes = random.bytes(1 + random.below(1500))
    written.push(bytes)
    stream.write(bytes)
    for (const one of slow) if (random.below(3) > 0) one.take()
    if (round % 8 === 0) await turns(1)
    // Now and then all of it has gone out.
    if (round % 50 === 0) await allTaken()
  }
  await allTaken()
  t.ok(Buffer.concat(came).equals(Buffer.concat(written)))
  // What is not small stays in the memory of who wrote it.
  const slabs = new Set(slow.flatMap(({ memory }) => [...memory]).filter((buffer) => buffer.byteLength > 2000)).size
  t.ok(slabs < 10, `${slabs} slabs for ${length(written)} bytes`)
  edge.end('SESSION_CLOSED')
  for (const one of slow) for (let count = 0; count < 10; count++) one.take()
  await turns(4)
})
