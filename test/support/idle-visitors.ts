// Many visitors who say one byte, hold still, and say another: `idle-visitors.ts {"ports":[…],"each":N,"idleMs":N}`.
import net from 'node:net'

const { ports, each, idleMs } = JSON.parse(process.argv[2] ?? '') as { ports: number[]; each: number; idleMs: number }
/** Of one address: well below what an address may have. */
const PER_ADDRESS = 64
/** Connections being made at a time. */
const AT_ONCE = 50

const sockets: net.Socket[] = []
let dropped = 0

function tell(event: string): void {
  process.stdout.write(`${JSON.stringify({ event, dropped, answered: sockets.length - dropped })}\n`)
}

/** Sends a byte and waits for it; false where it never comes back. */
function echoed(socket: net.Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(false)
    const settle = (fine: boolean): void => {
      socket.off('data', yes).off('close', no)
      resolve(fine)
    }
    const yes = (): void => settle(true)
    const no = (): void => settle(false)
    socket.once('data', yes).once('close', no)
    socket.write('x')
  })
}

async function enter(index: number): Promise<void> {
  const seat = Math.floor(index / PER_ADDRESS)
  const localAddress = `127.2.${seat >> 8}.${seat & 255 || 1}`
  const socket = net.connect({ host: '127.0.0.1', port: ports[index % ports.length] ?? 0, localAddress, noDelay: true })
  socket.on('error', () => {})
  sockets.push(socket)
  if (!(await echoed(socket))) dropped++
}

const total = ports.length * each
let next = 0
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (next < total) await enter(next++)
  }),
)
tell('inside')
await new Promise((resolve) => setTimeout(resolve, idleMs))
const fine = await Promise.all(sockets.map(echoed))
dropped = fine.filter((answered) => !answered).length
tell('checked')
for (const socket of sockets) socket.destroy()
