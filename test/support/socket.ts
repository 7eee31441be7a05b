import net from 'node:net'

/** Connects to a port of 127.0.0.1; half-open, as sockets of tests should be. */
export async function connect(port: number, localAddress?: string): Promise<net.Socket> {
  const socket = net.connect({
    port,
    host: '127.0.0.1',
    allowHalfOpen: true,
    noDelay: true,
    ...(localAddress && { localAddress }),
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** Reads until `enough` bytes came, or to the end. Rejects on a reset. */
export function read(socket: net.Socket, enough: number = Number.POSITIVE_INFINITY): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (): void => {
      socket.off('data', onData).off('end', settle).off('error', reject).off('close', settle)
      socket.pause()
      resolve(Buffer.concat(chunks))
    }
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk)
      size += chunk.length
      if (size >= enough) settle()
    }
    socket.on('data', onData).once('end', settle).once('error', reject).once('close', settle)
    if (socket.errored) reject(socket.errored)
    else if (socket.closed) settle()
    socket.resume()
  })
}

/** How a socket ended: in order, or by reset. */
export function ending(socket: net.Socket): Promise<'end' | 'reset'> {
  return new Promise((resolve) => {
    socket.once('end', () => resolve('end'))
    socket.once('error', () => resolve('reset'))
    if (socket.errored) resolve('reset')
    socket.resume()
  })
}

/**
 * How a connection to a port of 127.0.0.1 ends that says nothing itself. One that is cut off before this process has
 * looked at it is only known by the reset: it was accepted nevertheless. Rejects where it never was.
 */
export async function fate(port: number, localAddress?: string): Promise<'end' | 'reset'> {
  const socket = await connect(port, localAddress).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') return undefined
    throw error
  })
  if (socket === undefined) return 'reset'
  const how = await ending(socket)
  socket.destroy()
  return how
}
