import net from 'node:net'
import tls from 'node:tls'

/** Reads `bytes` from the bulk service behind `port`; the answer is the seconds it took. */
export async function bulk(port: number, bytes: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(256 * 1024)
  let left = bytes
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const socket = net.connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback: (count) => {
          left -= count
          return true
        },
      },
    })
    socket.on('connect', () => socket.write(`get ${bytes}\n`))
    socket.on('error', reject)
    socket.on('close', () => {
      if (left === 0) resolve((performance.now() - startedAt) / 1000)
      else reject(new Error(`${left} bytes of ${bytes} are missing`))
    })
  })
}

/** Sends `bytes` to the bulk service behind `port`, to its end; the answer is the seconds it took. */
export async function upload(port: number, bytes: number): Promise<number> {
  const chunk = Buffer.alloc(256 * 1024, 'up')
  let left = bytes
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => {
      socket.write('put\n')
      pour()
    })
    const pour = (): void => {
      while (left > 0) {
        const part = chunk.subarray(0, left)
        left -= part.length
        if (!socket.write(part) && left > 0) {
          socket.once('drain', pour)
          return
        }
      }
      socket.end()
    }
    socket.on('error', reject)
    socket.on('end', () => resolve((performance.now() - startedAt) / 1000))
    socket.resume()
  })
}

/** Round trips of one byte to the echo service behind `port`, each in milliseconds, until `isOver`. */
export async function echoes(port: number, isOver: (count: number) => boolean): Promise<number[]> {
  const byte = Buffer.of(1)
  const took: number[] = []
  return new Promise((resolve, reject) => {
    let sentAt = 0
    const send = (): void => {
      sentAt = performance.now()
      socket.write(byte)
    }
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, send)
    socket.on('error', reject)
    socket.on('data', () => {
      took.push(performance.now() - sentAt)
      if (!isOver(took.length)) {
        send()
        return
      }
      socket.destroy()
      // The first ones find everything cold.
      resolve(took.slice(5))
    })
    socket.on('close', () => reject(new Error(`closed after ${took.length} round trips`)))
  })
}

/** Opens a connection for one byte to the echo service and back, `count` times one after the other; milliseconds each. */
export async function arrivals(port: number, count: number): Promise<number[]> {
  const took: number[] = []
  for (let at = 0; at < count; at++) {
    const startedAt = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await echoes(port, () => true)
    took.push(performance.now() - startedAt)
  }
  return took
}

/** Opens `atOnce` connections at a time, each for one byte to the echo service and back, for `forMs`. Answers how many there were. */
export async function arrivalRate(port: number, atOnce: number, forMs: number): Promise<number> {
  const until = performance.now() + forMs
  let count = 0
  const go = async (): Promise<void> => {
    while (performance.now() < until) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await echoes(port, () => true)
      count++
    }
  }
  await Promise.all(Array.from({ length: atOnce }, go))
  return count
}

/** What is asked for again and again: `path` of `host` over `connections` kept alive, TLS or not. */
export interface Asking {
  readonly port: number
  readonly host: string
  readonly path: string
  readonly connections: number
  readonly secure: boolean
}

/** One request after the other on each connection until `isOver`, which is told how many were answered so far. Answers how many in all. */
export async function requests(asking: Asking, isOver: (answered: number) => boolean): Promise<number> {
  let answered = 0
  const each = Array.from({ length: asking.connections }, () => keepAsking(asking, () => isOver(++answered)))
  await Promise.all(each)
  return answered
}

function connectTo({ port, host, secure }: Asking): { socket: net.Socket; ready: string } {
  if (!secure) return { socket: net.connect({ port, host: '127.0.0.1', noDelay: true }), ready: 'connect' }
  const own = { servername: host, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }
  return { socket: tls.connect({ port, host: '127.0.0.1', ...own }).setNoDelay(true), ready: 'secureConnect' }
}

/** Every answer has the length of the first: what is measured should be the way, not a parser here. */
function keepAsking(asking: Asking, isOver: () => boolean): Promise<void> {
  const authority = asking.secure ? `${asking.host}:${asking.port}` : asking.host
  const request = Buffer.from(`GET ${asking.path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  return new Promise((resolve, reject) => {
    let answerBytes = 0
    let first = Buffer.alloc(0)
    let got = 0
    let count = 0
    const { socket, ready } = connectTo(asking)
    socket.once(ready, () => socket.write(request))
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      if (answerBytes === 0) {
        first = Buffer.concat([first, chunk])
        answerBytes = lengthOf(first)
      }
      got += chunk.length
      if (answerBytes === 0 || got < answerBytes) return
      if (got > answerBytes) {
        reject(new Error(`an answer of ${got} bytes instead of ${answerBytes}: ${first.toString('latin1', 0, 300)}`))
        return
      }
      got = 0
      count++
      if (!isOver()) {
        socket.write(request)
        return
      }
      socket.destroy()
      resolve()
    })
    socket.on('close', () => reject(new Error(`closed after ${count} answers`)))
  })
}

function lengthOf(answer: Buffer): number {
  const end = answer.indexOf('\r\n\r\n')
  if (end < 0) return 0
  const head = answer.toString('latin1', 0, end)
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(head)
  return end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1])
}
