// Bytes as fast as they go, which cost their ends next to nothing: `pour.ts from` is a service that pours at whoever
// comes (`ready {port}`), `pour.ts to PORT` a visitor that swallows (`poured {bytes}` after the first 16 MiB, then each second).
import net from 'node:net'

const CHUNK = Buffer.alloc(256 * 1024, 7)
const FIRST_BYTES = 16 * 1024 * 1024

function say(event: string, facts: object): void {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`)
}

function pour(socket: net.Socket): void {
  const go = (): void => {
    while (socket.write(CHUNK));
  }
  socket.on('error', () => {}).on('drain', go)
  socket.resume()
  go()
}

if (process.argv[2] === 'from') {
  const server = net.createServer(pour).listen(0, '127.0.0.1', () => {
    const address = server.address()
    say('ready', { port: typeof address === 'object' ? address?.port : undefined })
  })
} else {
  let bytes = 0
  let begun = false
  const tell = (): void => {
    say('poured', { bytes })
    bytes = 0
  }
  const callback = (count: number): boolean => {
    bytes += count
    if (!begun && bytes >= FIRST_BYTES) {
      begun = true
      tell()
      setInterval(tell, 1000)
    }
    return true
  }
  const onread = { buffer: Buffer.alloc(CHUNK.length), callback }
  net.connect({ host: '127.0.0.1', port: Number(process.argv[3]), onread }).on('error', () => {})
}
