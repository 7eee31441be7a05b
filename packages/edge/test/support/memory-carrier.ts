import type { Carrier } from '@engawa/shared/carrier/carrier'
import type { Endpoint } from '@engawa/shared/wire/opening'

/** One end of a carrier without sockets: bytes arrive a turn of the loop later. */
class MemoryCarrier implements Carrier {
  readonly remote: Endpoint
  readonly local: Endpoint = { family: 4, address: '127.0.0.1', port: 443 }
  readonly backlogBytes = 0
  peer: MemoryCarrier | undefined
  onDrained: () => void = () => {}
  #closed = false
  #onBytes: ((bytes: Uint8Array) => void) | undefined
  #onClosed: (() => void) | undefined
  readonly #early: Uint8Array[] = []

  constructor(remote: Endpoint) {
    this.remote = remote
  }

  set onBytes(listener: (bytes: Uint8Array) => void) {
    this.#onBytes = listener
    for (const bytes of this.#early.splice(0)) listener(bytes)
  }

  set onClosed(listener: () => void) {
    this.#onClosed = listener
    if (this.#closed) listener()
  }

  send(buffers: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(buffers)
    setImmediate(() => this.peer?.deliver(bytes))
  }

  close(): void {
    setImmediate(() => this.destroy())
  }

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    setImmediate(() => {
      this.#onClosed?.()
      this.peer?.destroy()
    })
  }

  deliver(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#onBytes === undefined) this.#early.push(bytes)
    else this.#onBytes(bytes)
  }
}

/** The edge's end and the agent's. */
export function memoryCarriers(remote: Endpoint): [edge: Carrier, agent: Carrier] {
  const edge = new MemoryCarrier(remote)
  const agent = new MemoryCarrier({ family: 4, address: '127.0.0.1', port: 443 })
  edge.peer = agent
  agent.peer = edge
  return [edge, agent]
}
