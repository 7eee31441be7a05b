// A visitor that sends a datagram every so often and times its echo: `paced.ts {"port":N,"count":N,"everyMs":N}`.
// Says `figures {p50, p99, lost}` at its end, milliseconds.
import { createSocket } from 'node:dgram'

const { port, count, everyMs } = JSON.parse(process.argv[2] ?? '') as { port: number; count: number; everyMs: number }
/** As long as a packet of a game or a call. */
const BYTES = 200
/** What has not come by then is lost. */
const PATIENCE_MS = 5000

const sentAt = new Map<number, number>()
const took: number[] = []
const socket = createSocket('udp4').bind(0, '127.0.0.1')
let sent = 0

function tell(): void {
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  const figures = { p50: at(0.5), p99: at(0.99), lost: count - took.length }
  process.stdout.write(`${JSON.stringify({ event: 'figures', ...figures })}\n`, () => process.exit())
}

socket.on('message', (bytes) => {
  const number = bytes.readUInt32BE(0)
  const since = sentAt.get(number)
  if (since === undefined) return
  took.push(performance.now() - since)
  sentAt.delete(number)
  if (took.length === count) tell()
})

const timer = setInterval(() => {
  const bytes = Buffer.alloc(BYTES)
  bytes.writeUInt32BE(++sent)
  sentAt.set(sent, performance.now())
  socket.send(bytes, port, '127.0.0.1')
  if (sent < count) return
  clearInterval(timer)
  setTimeout(tell, PATIENCE_MS)
}, everyMs)
