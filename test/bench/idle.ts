import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Way } from './ways.ts'

const IDLE_MS = 10_000
const BYTES = 64 * 1024

const resting = new Map<Way, net.Socket>()

/** Connects to the bulk service and says nothing for ten seconds: windows shrink, code is forgotten. */
export async function rest(way: Way): Promise<void> {
  const socket = net.connect({ port: way.bulk, host: '127.0.0.1', noDelay: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  resting.set(way, socket)
  await delay(IDLE_MS)
}

/** How long the first 64 KiB then take to be there, milliseconds. */
export function awake(way: Way): Promise<number> {
  const socket = resting.get(way)
  if (socket === undefined) throw new Error('nobody rests there')
  resting.delete(way)
  return new Promise((resolve, reject) => {
    let got = 0
    const startedAt = performance.now()
    socket.on('data', (bytes: Buffer) => {
      got += bytes.length
    })
    socket.on('error', reject)
    socket.on('end', () => {
      const took = performance.now() - startedAt
      socket.destroy()
      if (got === BYTES) resolve(took)
      else reject(new Error(`${got} bytes instead of ${BYTES}`))
    })
    socket.write(`get ${BYTES}\n`)
  })
}
