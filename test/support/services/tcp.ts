import { createHash } from 'node:crypto'
import net from 'node:net'
import { seededStream } from '../bytes.ts'

/** Gives back what comes, and its end after the visitor's end. */
export function echoService(): net.Server {
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
}

/**
 * Bytes in bulk, one order a socket, in its first line: `get SEED SIZE` sends the seeded stream and ends;
 * `put` swallows everything up to the visitor's end and answers `SIZE SHA256` (which needs half-close all the way).
 */
export function bulkService(): net.Server {
  return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const sum = createHash('sha256')
    let size = 0
    let head: Buffer | undefined = Buffer.alloc(0)
    let sending = false
    const take = (chunk: Buffer): void => {
      size += chunk.length
      sum.update(chunk)
    }
    socket.on('error', () => socket.destroy())
    socket.on('end', () => {
      if (head === undefined) socket.end(`${size} ${sum.digest('hex')}`)
      else if (!sending) socket.end()
    })
    socket.on('data', (chunk: Buffer) => {
      if (head === undefined) {
        take(chunk)
        return
      }
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\n')
      if (end < 0) return
      const [order, seed = '', count] = head.subarray(0, end).toString().split(' ')
      const rest = head.subarray(end + 1)
      if (order === 'get') {
        sending = true
        socket.removeAllListeners('data')
        socket.resume()
        const body = seededStream(seed, Number(count))
        socket.once('close', () => body.destroy())
        body.pipe(socket)
        return
      }
      head = undefined
      take(rest)
    })
  })
}
