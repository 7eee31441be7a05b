// One hop of the control: `pipe.ts PORT…` pipes connections to 127.0.0.1:PORT, from a free port each that it says.
import net from 'node:net'

function hop(target: number): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (outer) => {
    const inner = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    outer.pipe(inner)
    inner.pipe(outer)
    outer.on('error', () => inner.destroy())
    inner.on('error', () => outer.destroy())
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', 1024, () => resolve((server.address() as net.AddressInfo).port))
  })
}

const ports = await Promise.all(process.argv.slice(2).map((port) => hop(Number(port))))
process.stdout.write(`${JSON.stringify({ event: 'ready', ports })}\n`)
