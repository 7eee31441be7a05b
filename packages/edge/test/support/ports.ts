import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/**
 * Where ports for programs under test are looked for. Those that the kernel gives away by itself, 32768–60999, are no
 * good for what listens later or again: any dial or `listen(0)` beside this one may get them meanwhile. 20000–29999 is
 * where edges choose ports for tunnels.
 */
const FIRST = 10_240
const SPAN = 9_700
/** Test files that run at once have a part of them each: a port is free for a moment while its program starts again. */
const PARTS = 8
const PART = Math.floor(SPAN / PARTS)
const PART_FIRST = FIRST + (Number(process.env['TAP_JOB_ID'] ?? 0) % PARTS) * PART
/** Each file begins at another place: what the one before it has left may still be about to end. */
const APART = 97
/** Long rows would reach into the place of another: they are looked for between edges' choice and the kernel's. */
const LONG_FIRST = 30_000
const LONG_SPAN = 2768

let next = (process.pid * APART) % PART
let nextLong = 0

function following(count: number): number {
  if (count > APART) {
    if (nextLong + count > LONG_SPAN) nextLong = 0
    nextLong += count
    return LONG_FIRST + nextLong - count
  }
  if (next + count > PART) next = 0
  next += count
  return PART_FIRST + next - count
}

/** The first of `count` ports in a row that nobody has, over TCP and UDP; nobody gets them but by asking for them. */
export async function freePort(count: number = 1): Promise<number> {
  for (;;) {
    const from = following(count)
    const ports = Array.from({ length: count }, (_, index) => from + index)
    // oxlint-disable-next-line no-await-in-loop -- until some are free
    const free = await Promise.all(ports.flatMap((port) => [isFreeTcp(port), isFreeUdp(port)]))
    if (free.every(Boolean)) return from
  }
}

function isFreeTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function isFreeUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}
