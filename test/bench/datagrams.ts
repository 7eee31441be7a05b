import dgram from 'node:dgram'

const DATAGRAM = Buffer.alloc(200, 'engawa')
/** A flow whose datagram was lost sends another; loopback loses few. */
const LOST_MS = 200

/** `flows` sockets, each with one datagram under way to the echo service behind `port`, for `forMs`. Answers how many came back. */
export async function datagrams(port: number, flows: number, forMs: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: flows }, () => Flow.open(port)))
  const until = performance.now() + forMs
  for (const flow of all) flow.send()
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now()
      for (const flow of all) if (now - flow.sentAt > LOST_MS) flow.send()
      if (now < until) return
      clearInterval(timer)
      resolve()
    }, LOST_MS / 4)
  })
  for (const flow of all) flow.close()
  const count = all.reduce((sum, flow) => sum + flow.count, 0)
  if (count === 0) throw new Error(`not one datagram came back from port ${port}`)
  return count
}

class Flow {
  count = 0
  sentAt = 0
  readonly #socket = dgram.createSocket('udp4')

  private constructor() {
    this.#socket.on('message', () => {
      this.count++
      this.send()
    })
    // Nothing is asked of the kernel where nobody listens any more.
    this.#socket.on('error', () => undefined)
  }

  static async open(port: number): Promise<Flow> {
    const flow = new Flow()
    await new Promise<void>((resolve) => flow.#socket.connect(port, '127.0.0.1', resolve))
    return flow
  }

  send(): void {
    this.sentAt = performance.now()
    this.#socket.send(DATAGRAM)
  }

  close(): void {
    this.#socket.close()
  }
}
