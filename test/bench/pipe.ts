// One hop of the control: `pipe.ts PORT` listens on a free port and pipes each connection to 127.0.0.1:PORT.
import net from 'node:net'

const target = Number(process.argv[2])
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (outer) => {
  const inner = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  outer.pipe(inner)
  inner.pipe(outer)
  outer.on('error', () => inner.destroy())
  inner.on('error', () => outer.destroy())
})
server.listen(0, '127.0.0.1', 1024, () => {
  process.stdout.write(`${JSON.stringify({ event: 'ready', port: (server.address() as net.AddressInfo).port })}\n`)
})
