import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Stream } from '../../src/mux/events.ts'
import { Session } from '../../src/mux/session.ts'
import { encodeAll, type Frame } from '../support/frames.ts'
import { LONG, PATIENCE } from '../support/patience.ts'
import { Random, seedOfRun } from '../support/random.ts'
import { anyFrame } from '../support/random-frames.ts'

/** Short form: as many frames as fit into this time. Long form: a million, however long they take. */
const SHORT_MS = Number(process.env['ENGAWA_FUZZ_MS'] ?? 9000)
const LONG_FRAMES = 500_000
const BUDGET_BYTES = 1024 * 1024
const MAX_STREAMS = 16

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** A peer that mostly makes sense: it gets deep into a session before it lies. */
class Liar {
  readonly #random: Random
  readonly #side: 'edge' | 'agent'
  readonly #sent = new Map<number, { offset: number; isEnded: boolean }>()
  #nextId = 1

  constructor(random: Random, side: 'edge' | 'agent') {
    this.#random = random
    this.#side = side
  }

  /** The edge has opened one more stream. */
  noteOpened(): void {
    this.#nextId++
  }

  next(): Frame {
    const random = this.#random
    if (this.#nextId === 1 || random.below(200) === 0)
      return this.#side === 'agent' ? this.#open() : anyFrame(random, 40)
    const stream = 1 + random.below(random.below(300) === 0 ? this.#nextId : this.#nextId - 1)
    const { offset, isEnded } = this.#sent.get(stream) ?? { offset: 0, isEnded: false }
    switch (random.below(12)) {
      case 0:
      case 1:
        return this.#side === 'edge' ? { type: 'accept', stream } : this.#open()
      case 2:
        if (random.chance(70)) return { type: 'ping', token: random.next() }
        this.#sent.set(stream, { offset, isEnded: true })
        return { type: 'end', stream, final: offset }
      case 3:
        return random.chance(50)
          ? { type: 'reset', stream, code: random.below(50) }
          : { type: 'pong', token: random.below(9) }
      case 4:
        return { type: 'credit', stream, limit: random.below(100_000) }
      case 5:
        return { type: 'ack', received: random.below(100) === 0 ? random.below(3000) : 0 }
      case 6: {
        if (random.chance(80))
          return { type: 'datagram', flow: 1 + random.below(9), flags: random.below(4) & 6, body: random.bytes(9) }
        return { type: 'lost', entries: [[2 + random.below(9), random.chance(98) ? 0 : random.below(99)]] }
      }
      default: {
        const from = isEnded || random.chance(15) ? Math.max(0, offset - random.below(700)) : offset
        const most = isEnded ? offset - from : 600
        if (most === 0) return { type: 'end', stream, final: offset }
        const bytes = random.bytes(1 + random.below(most))
        this.#sent.set(stream, { offset: Math.max(offset, from + bytes.length), isEnded })
        return { type: 'data', stream, offset: from, bytes }
      }
    }
  }

  #open(): Frame {
    const id = this.#random.chance(90) ? this.#nextId++ : 1 + this.#random.below(this.#nextId)
    return {
      type: 'open',
      stream: Math.min(id, this.#nextId),
      credit: this.#random.below(70_000),
      opening: Buffer.alloc(46, 1),
    }
  }
}

/** An owner that does something or other with what it is told. */
function live(session: Session, random: Random): void {
  let isClosed = false
  for (const event of session.takeEvents()) {
    if (isClosed) throw new Error(`${event.type} after closed`)
    if (event.type === 'closed') isClosed = true
    if (!('stream' in event)) continue
    const stream: Stream = event.stream
    if (event.type === 'data' && random.chance(80)) stream.consumed(event.bytes.length)
    if (random.chance(3)) stream.reset('CANCELLED')
    if (event.type === 'opened' && random.chance(50)) stream.accept()
    if (!stream.closed && stream.room > 0 && random.chance(40)) stream.write(Buffer.alloc(random.below(5000) + 1))
    if (event.type === 'ended') stream.end()
  }
}

/** One session from its birth to its end, or for 300 frames. Answers how many frames it took. */
function life(random: Random): number {
  const side = random.chance(50) ? 'edge' : 'agent'
  let now = 1000 + random.below(1000)
  const session = new Session({ side, maxStreams: MAX_STREAMS, budgetBytes: BUDGET_BYTES, ownCredit: 16_384 }, now)
  for (let number = 1; number <= 1 + random.below(3); number++) session.addCarrier(number, now)
  const liar = new Liar(random, side)
  const isNoise = random.chance(20)
  let count = 0
  for (; count < 300 && !session.ended; count++) {
    if (side === 'edge' && (count === 0 || random.chance(20)) && session.canOpen) {
      session.open(Buffer.alloc(46))
      for (const number of [1, 2, 3]) session.pull(number, now)
      liar.noteOpened()
    }
    let bytes = isNoise ? random.bytes(1 + random.below(60)) : encodeAll(liar.next())
    if (random.below(400) === 0) bytes[random.below(bytes.length)] = random.next()
    if (random.below(400) === 0) bytes = bytes.subarray(random.below(bytes.length))
    const carrier = random.pick([1, 1, 1, 2, 3])
    const cut = random.below(bytes.length + 1)
    session.receive(carrier, bytes.subarray(0, cut), now)
    session.receive(carrier, bytes.subarray(cut), now)
    live(session, random)
    if (random.chance(60)) for (const number of [1, 2, 3]) session.pull(number, now)
    if (random.chance(3)) session.carrierClosed(1 + random.below(4), now)
    if (random.chance(5)) session.addCarrier(1 + random.below(9), now)
    now += random.pick([0, 0, 0, 1, 20, 700])
    session.tick(now)
    live(session, random)
    const { grantedBytes, streams } = session.figures
    if (grantedBytes > BUDGET_BYTES) throw new Error(`${grantedBytes} bytes granted`)
    if (streams > MAX_STREAMS + 4096) throw new Error(`${streams} streams`)
  }
  session.end('SESSION_CLOSED')
  live(session, random)
  return count
}

for (const salt of [1, 2]) {
  t.test(`F1 a peer that lies and bytes that mean nothing break nothing (${salt})`, { timeout: 900_000 }, async (t) => {
    const seed = (seedOfRun() + salt) >>> 0
    t.comment(`seed ${seed}`)
    const until = performance.now() + SHORT_MS
    let frames = 0
    let lives = 0
    let slowest = 0
    let before = 0
    while (LONG ? frames < LONG_FRAMES : performance.now() < until) {
      const from = performance.now()
      try {
        frames += life(new Random(seed + lives))
      } catch (error) {
        throw new Error(`ENGAWA_SEED=${seed + lives - salt}: ${(error as Error).message}`, { cause: error })
      }
      slowest = Math.max(slowest, performance.now() - from)
      if (++lives === 50) {
        gc()
        before = process.memoryUsage().heapUsed
      }
    }
    gc()
    const grown = (process.memoryUsage().heapUsed - before) / 1024 / 1024
    t.comment(
      `${frames} frames in ${lives} sessions, the slowest ${Math.round(slowest)} ms, ${grown.toFixed(1)} MiB grown`,
    )
    t.ok(frames > 1000)
    t.ok(slowest < 1000 * PATIENCE, `one session took ${slowest} ms`)
    t.ok(grown < 32, `${grown} MiB grown`)
  })
}
