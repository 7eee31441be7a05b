// A long line, as a process of its own: `line.ts ORDER`, JSON as in `Order`. It takes TCP connections and leads them on; each
// byte arrives `delayMs` later than it left and after those before it, at `rate`, each way. All connections share the line.
//   ready {port}
import net from 'node:net'
import { breakOff } from '@engawa/shared/stream/splice'

export interface Order {
  readonly listen: { readonly host: string; readonly port: number }
  /** Where those lead that came over IPv4 and over IPv6. */
  readonly v4: { readonly host: string; readonly port: number }
  readonly v6: { readonly host: string; readonly port: number }
  readonly delayMs: number
  /** Bytes per millisecond. */
  readonly rate: number
}

/** What may wait for its turn, ms of the line's rate: with more, those who send are not read. */
const QUEUE_MS = 100
/** What may wait for one that reads slowly, bytes. */
const MOST_UNREAD = 4 * 1024 * 1024

const order = JSON.parse(process.argv[2] ?? '') as Order

interface Slice {
  readonly at: number
  readonly act: () => void
}

/** One direction for all connections. */
class Way {
  #freeAt = 0
  #timer: NodeJS.Timeout | undefined
  readonly #slices: Slice[] = []
  /** Whom nobody reads now, and where it leads. */
  readonly #held = new Map<net.Socket, net.Socket>()

  lead(from: net.Socket, to: net.Socket): void {
    from.on('data', (bytes: Buffer) => {
      this.#send(bytes.length, () => {
        if (!to.destroyed) to.write(bytes)
      })
      if (this.#waitingMs > QUEUE_MS || to.writableLength > MOST_UNREAD) {
        from.pause()
        this.#held.set(from, to)
      }
    })
    from.on('end', () => this.#send(0, () => to.end()))
    from.on('error', () => this.#send(0, () => breakOff(to)))
    from.on('close', () => this.#held.delete(from))
    to.on('drain', () => this.#resume())
  }

  get #waitingMs(): number {
    return this.#freeAt - performance.now()
  }

  #send(bytes: number, act: () => void): void {
    this.#freeAt = Math.max(this.#freeAt, performance.now()) + bytes / order.rate
    this.#slices.push({ at: this.#freeAt + order.delayMs, act })
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#deliver(), order.delayMs)
  }

  #deliver(): void {
    const now = performance.now()
    let due = this.#slices.findIndex(({ at }) => at > now)
    if (due < 0) due = this.#slices.length
    for (const { act } of this.#slices.splice(0, due)) act()
    this.#resume()
    const next = this.#slices[0]
    this.#timer = next && setTimeout(() => this.#deliver(), Math.max(1, next.at - now))
  }

  #resume(): void {
    if (this.#waitingMs > QUEUE_MS / 2) return
    for (const [from, to] of this.#held) {
      if (to.writableLength > MOST_UNREAD) continue
      this.#held.delete(from)
      from.resume()
    }
  }
}

const [out, back] = [new Way(), new Way()]
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const to = net.isIPv4(socket.remoteAddress?.replace(/^::ffff:/, '') ?? '') ? order.v4 : order.v6
  const further = net.connect({ ...to, allowHalfOpen: true, noDelay: true })
  out.lead(socket, further)
  back.lead(further, socket)
})
server.listen(order.listen, () => {
  const { port } = server.address() as net.AddressInfo
  process.stdout.write(`${JSON.stringify({ event: 'ready', port })}\n`)
})
