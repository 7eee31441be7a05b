// What visitors do all day, each kind at a rate of its own: nothing here goes as fast as it can.

import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { arrivals } from './load.ts'

export interface Entries {
  readonly bulk: number
  readonly echo: number
  readonly udp: number
  readonly http: number
  readonly https: number
  readonly host: string
}

/** What was done, by kind, and what went wrong with it. */
export class Tally {
  readonly done: Record<string, number> = {}
  readonly failures: string[] = []

  add(kind: string, amount: number = 1): void {
    this.done[kind] = (this.done[kind] ?? 0) + amount
  }
}

const HOST = '127.0.0.1'
const KILOBYTE_PATH = '/kilobyte'
const PIECE_BYTES = 64 * 1024
const MESSAGE = Buffer.alloc(200, 'engawa')
/** Each way, bytes per second. */
const BULK_RATE = 16e6
/** Connections that a browser keeps. */
const KEPT_ALIVE = 8

/** One that does its thing again and again. */
interface Actor {
  readonly act: () => Promise<unknown>
  readonly end?: () => void
}

interface Kind {
  readonly name: string
  /** So many of them do their thing so often. */
  readonly count: number
  readonly everyMs: number
  readonly begin: () => Promise<Actor>
}

/** All kinds at once until `over` is aborted; resolves when each has ended in order. */
export async function mix(to: Entries, tally: Tally, over: AbortSignal): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: KEPT_ALIVE })
  const kinds: readonly Kind[] = [
    { name: 'requests', count: KEPT_ALIVE, everyMs: 16, begin: anew(() => request(to, agent)) },
    { name: 'echoes', count: 16, everyMs: 50, begin: () => echo(to.echo) },
    { name: 'messages', count: 16, everyMs: 50, begin: () => webSocket(to) },
    { name: 'datagrams', count: 16, everyMs: 20, begin: () => flow(to.udp, tally) },
    { name: 'new streams', count: 1, everyMs: 50, begin: anew(() => arrivals(to.echo, 1)) },
    { name: 'new requests', count: 1, everyMs: 100, begin: anew(() => request(to, false)) },
    { name: 'new TLS visitors', count: 1, everyMs: 500, begin: anew(() => secureRequest(to)) },
  ]
  const told = (name: string, work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: unknown) => void tally.failures.push(`${name}: ${String(error)}`))
  await Promise.all([
    ...kinds.flatMap((kind) => Array.from({ length: kind.count }, () => told(kind.name, live(kind, tally, over)))),
    told('download', download(to.bulk, tally, over)),
    told('upload', upload(to.bulk, tally, over)),
  ])
  agent.destroy()
}

async function live({ name, everyMs, begin }: Kind, tally: Tally, over: AbortSignal): Promise<void> {
  const { act, end } = await begin()
  await paced(everyMs, over, async () => {
    await act()
    tally.add(name)
  })
  end?.()
}

/** Nothing of one time is left for the next. */
function anew(act: Actor['act']): Kind['begin'] {
  return async () => ({ act })
}

/** Not sooner than `everyMs` after the last time; one that took longer is not made up for. */
async function paced(everyMs: number, over: AbortSignal, act: () => Promise<void>): Promise<void> {
  // Not all in the same turn.
  await delay(Math.random() * everyMs)
  while (!over.aborted) {
    const startedAt = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await act()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await delay(Math.max(0, everyMs - (performance.now() - startedAt)))
  }
}

function request({ http: port, host }: Entries, agent: http.Agent | false): Promise<void> {
  return answered(http.get({ host: HOST, port, path: KILOBYTE_PATH, headers: { host }, agent }))
}

function secureRequest({ https: port, host }: Entries): Promise<void> {
  const tls = { servername: host, rejectUnauthorized: false, agent: false } as const
  return answered(https.get({ host: HOST, port, path: KILOBYTE_PATH, headers: { host: `${host}:${port}` }, ...tls }))
}

async function answered(asked: http.ClientRequest): Promise<void> {
  const [response] = (await once(asked, 'response')) as [http.IncomingMessage]
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length
  if (response.statusCode !== 200 || bytes !== 1024) throw new Error(`${response.statusCode} with ${bytes} bytes`)
}

async function echo(port: number): Promise<Actor> {
  const socket = net.connect({ port, host: HOST, noDelay: true })
  await once(socket, 'connect')
  return {
    act: async () => {
      socket.write(MESSAGE)
      for (let left = MESSAGE.length; left > 0; ) {
        // oxlint-disable-next-line no-await-in-loop -- until all is back
        const [bytes] = (await once(socket, 'data')) as [Buffer]
        left -= bytes.length
      }
    },
    end: () => socket.end().resume(),
  }
}

async function webSocket({ http: port, host }: Entries): Promise<Actor> {
  const socket = new WebSocket(`ws://${HOST}:${port}/`, { headers: { host } })
  await once(socket, 'open')
  return {
    act: async () => {
      socket.send(MESSAGE)
      await once(socket, 'message')
    },
    end: () => socket.close(),
  }
}

/** Nobody waits for a datagram: what comes back is counted. */
async function flow(port: number, tally: Tally): Promise<Actor> {
  const socket = dgram.createSocket('udp4').on('message', () => tally.add('datagrams back'))
  socket.on('error', (error) => tally.failures.push(`datagrams: ${error.message}`))
  socket.connect(port, HOST)
  await once(socket, 'connect')
  return {
    act: async () => {
      socket.send(MESSAGE)
    },
    // What is under way may still come.
    end: () => void setTimeout(() => socket.close(), 1000),
  }
}

/** Reads no faster than its rate, so that credit and backpressure are what slows the service. */
async function download(port: number, tally: Tally, over: AbortSignal): Promise<void> {
  const socket = net.connect({ port, host: HOST })
  await once(socket, 'connect')
  const startedAt = performance.now()
  let got = 0
  socket.write(`get ${2 ** 50}\n`)
  socket.on('data', (bytes: Buffer) => {
    got += bytes.length
    tally.add('MB down', bytes.length / 1e6)
    const aheadMs = (got / BULK_RATE) * 1000 - (performance.now() - startedAt)
    if (aheadMs < 5) return
    socket.pause()
    setTimeout(() => socket.resume(), aheadMs)
  })
  over.addEventListener('abort', () => socket.destroy())
  await once(socket, 'close')
  if (!over.aborted) throw new Error(`closed after ${got} bytes`)
}

async function upload(port: number, tally: Tally, over: AbortSignal): Promise<void> {
  const socket = net.connect({ port, host: HOST, allowHalfOpen: true })
  await once(socket, 'connect')
  const piece = Buffer.alloc(PIECE_BYTES, 'up')
  socket.write('put\n')
  const closed = once(socket, 'close')
  await Promise.race([
    closed,
    paced((PIECE_BYTES / BULK_RATE) * 1000, over, async () => {
      if (!socket.write(piece)) await once(socket, 'drain')
      tally.add('MB up', PIECE_BYTES / 1e6)
    }),
  ])
  if (!over.aborted) throw new Error('closed')
  socket.end().resume()
  await closed
}
