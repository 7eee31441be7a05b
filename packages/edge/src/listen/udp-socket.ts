import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { type Endpoint, endpoint } from '@engawa/shared/wire/opening'
import { FlowTable } from '../forward/flow-table.ts'
import type { DatagramSocket, UdpForward, VisitorFlow } from '../forward/udp.ts'

/** What the kernel keeps while the loop is busy, bytes: a burst of 65,507-byte datagrams. It gives less where the machine allows less. */
const BURST_BYTES = 1024 * 1024

/**
 * One local address and port. Bound to that address alone: what it sends leaves from the address that the visitor
 * asked, which a socket on all interfaces does not promise on a machine with several.
 */
export class UdpSocket implements DatagramSocket {
  readonly local: Endpoint
  readonly flows: FlowTable<VisitorFlow> = new FlowTable()
  readonly #socket: Socket
  readonly #forward: UdpForward

  private constructor(socket: Socket, forward: UdpForward) {
    const { address, port } = socket.address()
    this.local = endpoint(address, port)
    this.#socket = socket
    this.#forward = forward
    socket.on('message', (bytes, from) => forward.received(this, bytes, from))
    // What the network says about single datagrams ends nothing.
    socket.on('error', () => {})
    forward.add(this)
  }

  /** Rejects with the system's error. */
  static async bind({
    address,
    port,
    forward,
  }: {
    address: string
    port: number
    forward: UdpForward
  }): Promise<UdpSocket> {
    const six = isIPv6(address)
    const socket = createSocket({
      type: six ? 'udp6' : 'udp4',
      ipv6Only: six,
      recvBufferSize: BURST_BYTES,
      lookup: asIs,
    })
    try {
      // Waited for first: where nothing is looked up, it listens before `bind` returns.
      const listening = once(socket, 'listening')
      socket.bind({ address, port, exclusive: true })
      await listening
    } catch (error) {
      socket.close()
      throw error
    }
    return new UdpSocket(socket, forward)
  }

  send(bytes: Uint8Array, { address, port }: Endpoint, sent: (error: Error | null) => void): void {
    this.#socket.send(Buffer.from(bytes), port, address, sent)
  }

  close(): void {
    this.#forward.remove(this)
    this.#socket.close()
  }
}

/** Visitors come by address: nothing is to be looked up, and no thread to be asked. */
function asIs(address: string, family: unknown, done: (error: null, address: string, family: number) => void): void {
  done(null, address, Number(family))
}
