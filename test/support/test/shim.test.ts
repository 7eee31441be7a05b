import type net from 'node:net'
import t from 'tap'
import { seeded, seededHash, seededStream } from '../bytes.ts'
import { echoService } from '../services/tcp.ts'
import { Shim } from '../shim.ts'
import { connect, ending, read } from '../socket.ts'

interface Owner {
  teardown: (end: () => Promise<void> | void) => unknown
}

async function shimmed(t: Owner): Promise<Shim> {
  const echo = echoService()
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  const shim = await Shim.open()
  shim.lead(`127.0.0.1:${(echo.address() as net.AddressInfo).port}`)
  t.teardown(async () => {
    await shim.close()
    echo.close()
  })
  return shim
}

t.test('forwards, counts, and passes half-close on', async (t) => {
  const shim = await shimmed(t)
  const socket = await connect(shim.port)
  socket.end('veranda')
  t.equal((await read(socket)).toString(), 'veranda')
  t.same([shim.up, shim.down, shim.accepted], [7, 7, 1])
})

t.test('resets both sides, then lets new links live', async (t) => {
  const shim = await shimmed(t)
  const socket = await connect(shim.port)
  socket.write('a')
  await read(socket, 1)
  const ended = ending(socket)
  shim.reset()
  t.equal(await ended, 'reset')
  const next = await connect(shim.port)
  next.end('b')
  t.equal((await read(next)).toString(), 'b')
})

t.test('cuts after a number of bytes', async (t) => {
  const shim = await shimmed(t)
  const socket = await connect(shim.port)
  const cut = shim.cutAfter(300_000)
  const ended = ending(socket)
  seededStream('cut', 10_000_000).pipe(socket)
  await cut
  t.equal(await ended, 'reset')
  t.ok(shim.up + shim.down >= 300_000 && shim.up + shim.down < 1_000_000)
})

t.test('a pause holds everything and loses nothing', async (t) => {
  const shim = await shimmed(t)
  const socket = await connect(shim.port)
  socket.write('x')
  await read(socket, 1)
  shim.pause()
  socket.write('held')
  let heard = 0
  socket.on('data', (chunk) => {
    heard += chunk.length
  })
  socket.resume()
  const other = await connect(shim.port)
  other.write('also held')
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(heard, 0)
  shim.restore()
  t.equal((await read(other, 9)).toString(), 'also held')
  socket.end()
  await new Promise((resolve) => socket.once('end', resolve))
  t.equal(heard, 4)
})

t.test('a forgotten link hears nothing more, a new one does', async (t) => {
  const shim = await shimmed(t)
  const socket = await connect(shim.port)
  socket.write('x')
  await read(socket, 1)
  shim.drop()
  let heard = 0
  socket.on('data', () => heard++)
  socket.resume()
  socket.write('lost')
  const next = await connect(shim.port)
  next.end('b')
  t.equal((await read(next)).toString(), 'b')
  t.equal(heard, 0)
  t.notOk(socket.destroyed)
})

t.test('the seeded stream is the same from every offset', async (t) => {
  const whole = Buffer.concat([...seeded('s', 700_000)])
  for (const from of [0, 1, 15, 16, 17, 255, 4096, 699_999]) {
    t.ok(Buffer.concat([...seeded('s', 700_000 - from, from)]).equals(whole.subarray(from)), `from ${from}`)
  }
  t.not(seededHash('s', 1000), seededHash('t', 1000))
})
