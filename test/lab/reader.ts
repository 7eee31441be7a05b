// One visitor who downloads, as a process of its own: `reader.ts HOST PORT SECONDS` from the bulk service behind that port.
//   done {each}   bytes that came in each of the seconds
import { once } from 'node:events'
import net from 'node:net'

const [host = '', port = '', seconds = ''] = process.argv.slice(2)
const MORE_THAN_COMES = 2 ** 40
const BUFFER_BYTES = 256 * 1024

const each: number[] = Array.from({ length: Number(seconds) }, () => 0)
let startedAt = 0
const socket = net.connect({
  host,
  port: Number(port),
  onread: {
    buffer: Buffer.allocUnsafe(BUFFER_BYTES),
    callback: (count) => {
      const second = Math.floor((performance.now() - startedAt) / 1000)
      if (second < each.length) each[second] = (each[second] ?? 0) + count
      else socket.destroy()
      return true
    },
  },
})
await once(socket, 'connect')
startedAt = performance.now()
socket.write(`get lines ${MORE_THAN_COMES}\n`)
await once(socket, 'close')
process.stdout.write(`${JSON.stringify({ event: 'done', each })}\n`)
