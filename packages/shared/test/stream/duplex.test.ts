import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import { finished } from 'node:stream/promises'
import t from 'tap'
import type { Code } from '../../src/errors.ts'
import { toDuplex } from '../../src/stream/duplex.ts'
import { linked } from '../support/linked.ts'

async function pair() {
  const link = linked()
  const [mine, theirs] = await link.open()
  const near = toDuplex(mine)
  const far = toDuplex(theirs)
  const stop = (): void => {
    for (const duplex of [near, far]) duplex.on('error', () => undefined)
    link.edge.end('SESSION_CLOSED')
  }
  return { mine, theirs, near, far, stop }
}

async function readAll(duplex: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of duplex.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const READ = {
  iterated: readAll,
  async flowing(duplex: Duplex): Promise<Buffer> {
    const chunks: Buffer[] = []
    duplex.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(duplex, 'end')
    return Buffer.concat(chunks)
  },
  async paused(duplex: Duplex): Promise<Buffer> {
    const chunks: Buffer[] = []
    duplex.on('readable', () => {
      for (let chunk: unknown = duplex.read(); chunk !== null; chunk = duplex.read()) chunks.push(chunk as Buffer)
    })
    await once(duplex, 'end')
    return Buffer.concat(chunks)
  },
}

for (const way of ['iterated', 'flowing', 'paused'] as const) {
  t.test(`3 MiB both ways, ${way}: credit returns as it is read`, async (t) => {
    const { near, far, stop } = await pair()
    const up = randomBytes(3 << 20)
    const down = randomBytes(3 << 20)
    near.end(up)
    far.end(down)
    const [gotDown, gotUp] = await Promise.all([READ[way](near), READ[way](far)])
    t.ok(gotUp.equals(up))
    t.ok(gotDown.equals(down))
    stop()
  })
}

t.test('who does not read holds the writer up, and only so much is kept', async (t) => {
  const { near, far, mine, theirs, stop } = await pair()
  let accepted = 0
  const chunk = Buffer.alloc(64 * 1024)
  for (let index = 0; index < 64; index++) near.write(chunk, () => (accepted += chunk.length))
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  t.ok(theirs.received <= 16 * 1024, `${theirs.received} received`)
  t.ok(accepted < 1 << 20, `${accepted} accepted`)
  t.equal(mine.closed, false)
  near.end()
  t.equal((await readAll(far)).length, 64 * chunk.length)
  stop()
})

t.test('a reset fails it with its code', async (t) => {
  const { near, theirs, stop } = await pair()
  const failed = finished(near).catch((error: unknown) => error)
  theirs.reset('SERVICE_REFUSED')
  t.match(await failed, { name: 'EngawaError', code: 'SERVICE_REFUSED' })
  stop()
})

for (const [error, code] of [
  [undefined, 'CANCELLED'],
  [new Error('mine'), 'CANCELLED'],
] as const) {
  t.test(`destroyed ${error ? 'with an error' : 'before its end'}: the peer gets ${code}`, async (t) => {
    const { near, far, stop } = await pair()
    near.on('error', () => undefined)
    near.write('x')
    const failed = finished(far).catch((cause: unknown) => cause)
    near.destroy(error)
    t.match(await failed, { code })
    stop()
  })
}

t.test('destroyed after its end: every byte and the end arrive, no reset before', async (t) => {
  const { near, far, stop } = await pair()
  const sent = randomBytes(200_000)
  near.end(sent)
  await once(near, 'finish')
  near.destroy()
  t.ok((await readAll(far)).equals(sent))
  far.end()
  await finished(far)
  stop()
})

t.test('a peer that goes on sending to one who has ended and left gets a reset', async (t) => {
  const { near, far, theirs, stop } = await pair()
  near.end()
  await once(near, 'finish')
  near.destroy()
  far.resume()
  await once(far, 'end')
  const broken = new Promise<Code>((resolve) =>
    far.once('error', (error: Error & { code: Code }) => resolve(error.code)),
  )
  far.write('more')
  t.equal(await broken, 'CANCELLED')
  t.equal(theirs.closed, true)
  stop()
})

t.test('accepted', async (t) => {
  const { near, theirs, stop } = await pair()
  const accepted = once(near, 'accepted')
  theirs.accept()
  await accepted
  t.pass()
  stop()
})

t.test('http over it, kept alive', async (t) => {
  const { near, far, stop } = await pair()
  const server = createServer((incoming, answer) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => answer.end(Buffer.concat(chunks)))
  })
  t.teardown(() => server.close())
  server.emit('connection', far)
  const body = randomBytes(500_000)
  const asked = request({ method: 'POST', path: '/', headers: { Host: 'a' }, createConnection: () => near })
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  t.ok((await readAll(answer as unknown as Duplex)).equals(body))
  near.destroy()
  stop()
})
