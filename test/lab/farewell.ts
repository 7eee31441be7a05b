// Both ends of a stream whose service ends first and goes on listening: `farewell.ts service HOST` and `farewell.ts visitor HOST PORT`.
//   service: ready {port}   heard {bytes, sha256}   all that the visitor said up to its end
//   visitor: ended          the service's word and end have come; from now on it talks for a while
//            said {bytes, sha256}, or broken {code}
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { seeded } from '../support/bytes.ts'

const WORD = 'farewell'
const TURNS = 25
const TURN_MS = 100
const TURN_BYTES = 20_000

const [role, host = '', port = ''] = process.argv.slice(2)

function say(event: string, more: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`)
}

function serve(): void {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const sum = createHash('sha256')
    let bytes = 0
    socket.on('data', (chunk: Buffer) => {
      sum.update(chunk)
      bytes += chunk.length
    })
    // The agent also looks whether there is a service, and says nothing.
    socket.on('end', () => bytes > 0 && say('heard', { bytes, sha256: sum.digest('hex') }))
    socket.on('error', () => socket.destroy())
    socket.end(WORD)
  })
  server.listen(0, host, () => say('ready', { port: (server.address() as net.AddressInfo).port }))
}

async function visit(): Promise<void> {
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true })
  socket.on('error', ({ code }: NodeJS.ErrnoException) => say('broken', { code }))
  let heard = ''
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString()
  })
  await once(socket, 'end')
  say('ended', { heard })
  const all = Buffer.concat([...seeded(WORD, TURNS * TURN_BYTES)])
  for (let turn = 0; turn < TURNS; turn++) {
    socket.write(all.subarray(turn * TURN_BYTES, (turn + 1) * TURN_BYTES))
    // oxlint-disable-next-line no-await-in-loop -- a pace is what it is for
    await wait(TURN_MS)
  }
  socket.end()
  say('said', { bytes: all.length, sha256: createHash('sha256').update(all).digest('hex') })
}

if (role === 'service') serve()
else await visit()
