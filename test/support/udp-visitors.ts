// Many visitors of one UDP port, each with an address of its own in 127.7.0.0/16: `udp-visitors.ts {"port":N,"visitors":N,
// "rounds":N,"flood":N}`. First in bursts, a few visitors at a time, each waiting for its answers (`paced`); then all of
// them `flood` datagrams each without waiting (`flooded`). It stays, so that the kernel's counts of its sockets do.
import { createSocket, type Socket } from 'node:dgram'

interface Task {
  readonly port: number
  readonly visitors: number
  readonly rounds: number
  readonly flood: number
}

const { port, visitors, rounds, flood } = JSON.parse(process.argv[2] ?? '') as Task
/** Datagrams of one visitor in a row. */
const BURST = 4
/** Visitors that wait for answers at a time: what the kernel keeps of them fits its buffers. */
const AT_ONCE = 16
/** What has not come back by then is lost. */
const PATIENCE_MS = 5000

const seen = { sent: 0, answered: 0, foreign: 0, disordered: 0, firstLost: 0 }

class Visitor {
  readonly #number: number
  readonly #socket: Socket
  readonly ready: Promise<void>
  #next = 0
  #newest = -1
  #owed = 0
  #settled: (() => void) | undefined

  constructor(number: number) {
    this.#number = number
    this.#socket = createSocket('udp4').on('message', (bytes) => this.#heard(bytes))
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ready = promise
    this.#socket.bind(0, `127.7.${number >> 8}.${number & 255}`, resolve)
  }

  send(): void {
    const bytes = Buffer.alloc(200)
    bytes.writeUInt32BE(this.#number, 0)
    bytes.writeUInt32BE(this.#next++, 4)
    this.#owed++
    seen.sent++
    this.#socket.send(bytes, port, '127.0.0.1')
  }

  /** Sends a burst; resolves when all of it has come back, or has not in time. */
  async burst(): Promise<void> {
    this.#owed = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#settled = resolve
    const timer = setTimeout(resolve, PATIENCE_MS)
    for (let count = 0; count < BURST; count++) this.send()
    await promise
    clearTimeout(timer)
  }

  get everHeard(): boolean {
    return this.#newest >= 0
  }

  #heard(bytes: Buffer): void {
    if (bytes.readUInt32BE(0) !== this.#number) {
      seen.foreign++
      return
    }
    const number = bytes.readUInt32BE(4)
    // The first datagram of a flow opens it: it is the first to be answered, too.
    if (this.#newest < 0 && number > 0) seen.firstLost++
    if (number <= this.#newest) seen.disordered++
    this.#newest = Math.max(this.#newest, number)
    seen.answered++
    if (--this.#owed === 0) this.#settled?.()
  }
}

function say(event: string): void {
  process.stdout.write(`${JSON.stringify({ event, ...seen })}\n`)
}

// Whoever waits for the rest asks for it.
process.on('SIGUSR2', () => say('flooded'))
setInterval(() => {}, 60_000)

const all = Array.from({ length: visitors }, (_, number) => new Visitor(number + 1))
await Promise.all(all.map(({ ready }) => ready))
const queue = Array.from({ length: rounds }, () => all).flat()
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next.burst()
  }),
)
seen.firstLost += all.filter(({ everHeard }) => !everHeard).length
say('paced')
for (let count = 0; count < flood; count++) for (const visitor of all) visitor.send()
