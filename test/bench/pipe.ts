// One hop of the control: `pipe.ts PORT… udp:PORT…` pipes connections to 127.0.0.1:PORT, and relays datagrams there, from a
// free port each that it says.
import dgram from 'node:dgram'
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

function asIs(address: string, _: unknown, done: (error: null, address: string, family: number) => void): void {
  done(null, address, 4)
}

/** Each visitor has a connected socket of its own to the next. No address is looked up, which would cost a tenth. */
function datagramHop(target: number): Promise<number> {
  const recvBufferSize = 1024 * 1024
  const outer = dgram.createSocket({ type: 'udp4', lookup: asIs, recvBufferSize })
  const inners = new Map<string, dgram.Socket>()
  const open = (key: string, { port, address }: dgram.RemoteInfo): dgram.Socket => {
    const inner = dgram.createSocket({ type: 'udp4', lookup: asIs, recvBufferSize })
    inners.set(key, inner)
    inner.on('message', (bytes) => outer.send(bytes, port, address))
    inner.connect(target, '127.0.0.1')
    return inner
  }
  outer.on('message', (bytes, from) => {
    const key = `${from.address} ${from.port}`
    const inner = inners.get(key)
    if (inner !== undefined) inner.send(bytes)
    else open(key, from).once('connect', () => inners.get(key)?.send(bytes))
  })
  return new Promise((resolve) => {
    outer.bind(0, '127.0.0.1', () => resolve(outer.address().port))
  })
}

const ports = await Promise.all(
  process.argv.slice(2).map((to) => (to.startsWith('udp:') ? datagramHop(Number(to.slice(4))) : hop(Number(to)))),
)
process.stdout.write(`${JSON.stringify({ event: 'ready', ports })}\n`)
