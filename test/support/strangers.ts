// Visitors with made-up names, as a process of its own: `strangers.ts HOST:PORT COUNT`. Says how the handshakes went.
import { randomBytes, randomInt } from 'node:crypto'
import { connect } from 'node:tls'
import { domainToASCII } from 'node:url'

const AT_ONCE = 8
const [, , address = '', count = '0'] = process.argv
const [host = '', port] = address.split(':')

/** Four kana, as a server name carries them. */
function kana(): string {
  return domainToASCII(Array.from({ length: 4 }, () => String.fromCodePoint(0x30a1 + randomInt(80))).join(''))
}

function label(): string {
  return randomBytes(8).toString('hex')
}

const KINDS: readonly (() => string)[] = [
  () => `${label()}.tunnel.test`,
  () => `${label()}.example.org`,
  () => `${kana()}.tunnel.test`,
  () => `${label()}.${kana()}.jp`,
]

/** By the code of the error, or `opened`. */
const ends = new Map<string, number>()

function knock(servername: string): Promise<void> {
  return new Promise((resolve) => {
    const end = (how: string): void => {
      ends.set(how, (ends.get(how) ?? 0) + 1)
      socket.destroy()
      resolve()
    }
    const socket = connect({ host, port: Number(port), servername, rejectUnauthorized: false }, () => end('opened'))
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}

let left = Number(count)
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (left > 0) {
      // oxlint-disable-next-line no-await-in-loop -- so many at a time
      await knock(KINDS[left-- % KINDS.length]?.() ?? '')
    }
  }),
)
process.stdout.write(`${JSON.stringify({ event: 'done', ends: Object.fromEntries(ends) })}\n`)
