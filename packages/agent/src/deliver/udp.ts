import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import type { Reach } from './reach.ts'
import { denied, isNumeric, type To } from './tcp.ts'

/** What waits while a service's name is looked up, datagrams. A resolver or a game sends a few, a flood is cut off. */
const MOST_EARLY = 64
/** Room for a burst while the loop is busy, bytes; the machine may give less. */
const BURST_BYTES = 1024 * 1024

export interface UdpHandler {
  /** Where it sends from, as the service sees it. */
  bound?(address: string, port: number): void
  received(bytes: Uint8Array): void
  /** The service's machine says that nothing listens there, or it cannot be reached. The socket lives on: a service may start later. */
  failed(error: unknown): void
}

/** A visitor's own socket towards a service, so that the service tells visitors apart by its port. Opens at once, sends when it can. */
export class ServiceSocket {
  readonly #handler: UdpHandler
  #socket: Socket | undefined
  #early: Buffer[] = []
  #closed = false
  /** It could not be opened: what comes is dropped. */
  #failed = false
  readonly #sent = (error: Error | null): void => {
    if (error !== null && !this.#closed) this.#handler.failed(error)
  }

  constructor(to: To, reach: Reach, handler: UdpHandler) {
    this.#handler = handler
    this.#open(to, reach).catch((error: unknown) => {
      this.#early = []
      this.#failed = true
      if (!this.#closed) handler.failed(error)
    })
  }

  /** False when it was dropped. `bytes` are copied. */
  send(bytes: Uint8Array): boolean {
    if (this.#closed || this.#failed) return false
    const own = Buffer.from(bytes)
    if (this.#socket !== undefined) this.#send(this.#socket, own)
    else if (this.#early.length < MOST_EARLY) this.#early.push(own)
    else return false
    return true
  }

  close(): void {
    this.#closed = true
    this.#early = []
    this.#socket?.close()
  }

  async #open({ host, port, from }: To, reach: Reach): Promise<void> {
    const address = await addressOf(host, reach, from === undefined ? 0 : 4)
    if (this.#closed) return
    const socket = createSocket({
      type: isIPv6(address.replace(/%.*$/, '')) ? 'udp6' : 'udp4',
      recvBufferSize: BURST_BYTES,
    })
    socket.on('message', (bytes) => this.#handler.received(bytes))
    try {
      await connected(socket, { address, port, from })
    } catch (error) {
      socket.close()
      throw error
    }
    if (this.#closed) return void socket.close()
    socket.on('error', (error) => this.#handler.failed(error))
    this.#socket = socket
    const { address: near, port: nearPort } = socket.address()
    this.#handler.bound?.(near, nearPort)
    for (const bytes of this.#early.splice(0)) this.#send(socket, bytes)
  }

  #send(socket: Socket, bytes: Buffer): void {
    socket.send(bytes, this.#sent)
  }
}

/** Connected, so that the kernel drops what others send here and tells when nothing listens. */
function connected(
  socket: Socket,
  { address, port, from }: { address: string; port: number; from: string | undefined },
): Promise<void> {
  return new Promise((resolve, reject) => {
    // Binding fails by the event, connecting by its callback.
    socket.once('error', reject)
    if (from !== undefined) socket.bind({ address: from, port: 0 })
    const done = (error?: Error): void => {
      socket.off('error', reject)
      if (error === undefined) resolve()
      else reject(error)
    }
    socket.connect(port, address, done)
  })
}

/** Looked up for each flow and checked after that (DNS rebinding). Throws REACH_DENIED, or what the lookup throws. */
async function addressOf(host: string, reach: Reach, family: 0 | 4): Promise<string> {
  const found = isNumeric(host) ? [{ address: host }] : await lookup(host, { all: true, family })
  const allowed = found.find(({ address }) => reach.allows(address))
  if (allowed !== undefined) return allowed.address
  throw denied(host)
}
