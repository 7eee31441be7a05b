// A service that gives each datagram back: says `ready {port}`.
import { createSocket } from 'node:dgram'

const socket = createSocket('udp4')
socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address))
socket.bind(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ event: 'ready', port: socket.address().port })}\n`)
})
