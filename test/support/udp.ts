import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

interface Owner {
  teardown: (end: () => unknown) => unknown
}

export async function udpSocket(t: Owner, address: string = '127.0.0.1', port: number = 0): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1024 * 1024 }).bind({ address, port })
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  return socket
}

/** Gives each datagram back to whoever sent it. */
export async function udpEcho(t: Owner, port: number = 0): Promise<Socket> {
  const socket = await udpSocket(t, '127.0.0.1', port)
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  return socket
}

/** Sends one datagram to `port` and resolves with the next that comes back. */
export async function askUdp(socket: Socket, bytes: string | Uint8Array, port: number): Promise<Buffer> {
  const answer = once(socket, 'message')
  socket.send(bytes, port, '127.0.0.1')
  return (await answer)[0] as Buffer
}
