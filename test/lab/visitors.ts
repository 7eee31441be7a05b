// The visitors of a lab, as a process of its own: `visitors.ts ORDER`, JSON as in `Order`. Each stream writes seeded bytes to an
// echo service and compares what comes back; each WebSocket does so with numbered messages. One JSON object a line:
//   progress {flows, oldest, behind} every 50 ms; `flows` have begun to move, `oldest` is when the one that waits longest last did,
//                                   `behind` bytes are not back of those that the streams' pace has asked for
//   gap      {from, to}             a flow moved again after more than 300 ms
//   wrong    {what}                 bytes lost, doubled, reordered or from elsewhere, a WebSocket closed, a false end
//   reset    {what}                 a stream or WebSocket was reset
//   done     {bytes, messages}      everything came back
import { once } from 'node:events'
import net from 'node:net'
import { WebSocket } from 'ws'
import { seeded } from '../support/bytes.ts'
import { moment } from './faults.ts'

export interface Order {
  readonly host: string
  readonly echo: number
  /** `Host` of the HTTP tunnel for the WebSockets. */
  readonly web: string
  readonly seed: string
  readonly streams: number
  /** Of each stream, each way. */
  readonly bytes: number
  /** How long a stream takes; 0: as fast as it goes. */
  readonly seconds: number
  readonly sockets: number
}

const order = JSON.parse(process.argv[2] ?? '') as Order
const PACE_MS = 100
const GAP_MS = 300
const WORD_BYTES = 1024

/** When each unfinished flow moved last. */
const moved = new Map<string, number>()
let flows = 0
let bytes = 0
let messages = 0
/** WebSockets go on until the last stream is done. */
const left = { streams: order.streams }

function say(event: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`)
}

function move(flow: string): void {
  const from = moved.get(flow)
  const to = moment()
  moved.set(flow, to)
  if (from === undefined) flows++
  else if (to - from > GAP_MS) say('gap', { flow, from, to })
}

async function stream(name: string): Promise<void> {
  const socket = net.connect({ host: order.host, port: order.echo, allowHalfOpen: true, noDelay: true })
  const expected = new Expected(`${order.seed} ${name}`)
  let failed = false
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failed = true
    say('reset', { what: name, code: error.code, received: expected.received })
  })
  socket.on('data', (chunk: Buffer) => {
    if (!expected.take(chunk)) say('wrong', { what: `${name} at ${expected.received}` })
    bytes += chunk.length
    move(name)
  })
  socket.on('end', () => {
    if (expected.received !== order.bytes) say('wrong', { what: `${name} ended at ${expected.received}` })
  })
  const closed = new Promise((resolve) => {
    socket.once('close', resolve)
  })
  void write(socket, `${order.seed} ${name}`, () => failed)
  await closed
  moved.delete(name)
  left.streams--
}

async function write(socket: net.Socket, seed: string, over: () => boolean): Promise<void> {
  const startedAt = moment()
  const eachMs = order.seconds === 0 ? 0 : (order.seconds * 1000) / order.bytes
  let written = 0
  for (const chunk of seeded(seed, order.bytes)) {
    for (let from = 0; from < chunk.length; ) {
      const due = eachMs === 0 ? chunk.length : Math.floor((moment() - startedAt) / eachMs) - written
      const slice = chunk.subarray(from, from + Math.max(0, due))
      from += slice.length
      written += slice.length
      // oxlint-disable-next-line no-await-in-loop -- a pace is what it is for
      if (!socket.write(slice)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
      // oxlint-disable-next-line no-await-in-loop -- a pace is what it is for
      else if (eachMs > 0) await new Promise((resolve) => setTimeout(resolve, PACE_MS))
      if (over() || socket.destroyed) return
    }
  }
  socket.end()
}

/** The seeded bytes again, to be compared slice by slice. */
class Expected {
  received = 0
  readonly #chunks: Iterator<Buffer, void>
  #chunk: Buffer = Buffer.alloc(0)

  constructor(seed: string) {
    this.#chunks = seeded(seed, order.bytes)
  }

  take(got: Buffer): boolean {
    for (let from = 0; from < got.length; ) {
      if (this.#chunk.length === 0) this.#chunk = this.#chunks.next().value ?? Buffer.alloc(0)
      const length = Math.min(this.#chunk.length, got.length - from)
      if (length === 0 || !this.#chunk.subarray(0, length).equals(got.subarray(from, from + length))) return false
      this.#chunk = this.#chunk.subarray(length)
      this.received += length
      from += length
    }
    return true
  }
}

async function webSocket(name: string): Promise<void> {
  const socket = new WebSocket(`ws://${order.host}/`, { headers: { Host: order.web }, perMessageDeflate: false })
  const count = { sent: 0, received: 0 }
  socket.on('message', (data: Buffer) => {
    if (!data.equals(word(name, count.received))) say('wrong', { what: `${name}: message ${count.received}` })
    count.received++
    messages++
    move(name)
  })
  socket.on('error', (error) => say('reset', { what: name, message: error.message }))
  await once(socket, 'open')
  const closed = once(socket, 'close')
  while (left.streams > 0 && socket.readyState === WebSocket.OPEN) {
    socket.send(word(name, count.sent++))
    // oxlint-disable-next-line no-await-in-loop -- a pace is what it is for
    await new Promise((resolve) => setTimeout(resolve, PACE_MS))
  }
  while (count.received < count.sent && socket.readyState === WebSocket.OPEN) {
    // oxlint-disable-next-line no-await-in-loop -- one message after the other
    await Promise.race([once(socket, 'message'), closed])
  }
  if (count.received < count.sent) say('wrong', { what: `${name} closed after ${count.received} of ${count.sent}` })
  moved.delete(name)
  socket.close()
  await closed
}

function word(name: string, number: number): Buffer {
  return Buffer.alloc(WORD_BYTES, `${name} ${number} `)
}

const startedAt = moment()

function progress(): void {
  const asked = order.seconds === 0 ? 1 : Math.min(1, (moment() - startedAt) / (order.seconds * 1000))
  const behind = order.streams * order.bytes * asked - bytes
  say('progress', { flows, oldest: Math.min(...moved.values(), moment()), behind })
}

const ticker = setInterval(progress, 50)
await Promise.all([
  ...Array.from({ length: order.streams }, (_, index) => stream(`stream ${index}`)),
  ...Array.from({ length: order.sockets }, (_, index) => webSocket(`socket ${index}`)),
])
clearInterval(ticker)
say('done', { bytes, messages })
