// What lies behind every way of the bench, as cheap as Node can: `service.ts` says its ports as one JSON line.
import dgram from 'node:dgram'
import net from 'node:net'

const CHUNK = Buffer.alloc(256 * 1024, 'engawa')
const KILOBYTE = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n${'x'.repeat(1024)}`,
)
const BYTES = Buffer.from('GET /bytes/')
const HEAD_END = Buffer.from('\r\n\r\n')

/** `get SIZE` in the first line: so many bytes and the end. Anything else is swallowed. */
const bulk = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.once('data', (line: Buffer) => {
    const [order, size] = line.toString('latin1').trim().split(' ')
    socket.resume()
    if (order !== 'get') return
    pour(socket, Number(size), () => socket.end())
  })
})

const echo = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes) => socket.write(bytes))
  socket.on('end', () => socket.end())
})

/** Answers every request with a kilobyte, or `GET /bytes/N` with N bytes; one request never spans two reads here. */
const http = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', (bytes: Buffer) => {
    if (bytes.indexOf(BYTES) === 0) {
      pourBody(socket, Number.parseInt(bytes.toString('latin1', BYTES.length, BYTES.length + 16), 10))
      return
    }
    for (let at = bytes.indexOf(HEAD_END); at >= 0; at = bytes.indexOf(HEAD_END, at + 4)) socket.write(KILOBYTE)
  })
})

function pourBody(socket: net.Socket, size: number): void {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${size}\r\n\r\n`)
  pour(socket, size, () => undefined)
}

/** `size` bytes as fast as they are taken, then `done`. */
function pour(socket: net.Socket, size: number, done: () => void): void {
  let left = size
  const go = (): void => {
    while (left > 0) {
      const part = CHUNK.subarray(0, left)
      left -= part.length
      if (!socket.write(part) && left > 0) {
        socket.once('drain', go)
        return
      }
    }
    done()
  }
  go()
}

const udp = dgram.createSocket('udp4')
udp.on('message', (bytes, { port, address }) => udp.send(bytes, port, address))

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve))
  return (server.address() as net.AddressInfo).port
}

const ports = { bulk: await listen(bulk), echo: await listen(echo), http: await listen(http) }
await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
process.stdout.write(`${JSON.stringify({ event: 'ready', ...ports, udp: udp.address().port })}\n`)
