import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Stream } from '../../src/mux/events.ts'
import { type SpliceEnd, splice } from '../../src/stream/splice.ts'
import { linked } from '../support/linked.ts'

interface Path {
  readonly visitor: Socket
  readonly service: Socket
  readonly mine: Stream
  readonly theirs: Stream
  readonly edgeEnd: Promise<SpliceEnd>
  readonly agentEnd: Promise<SpliceEnd>
}

async function listen(t: Test, where: { port: number; host: string } | { path: string }): Promise<Server> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(where)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server
}

/** visitor ─ splice ─ stream ═ stream ─ splice ─ service, on real sockets. */
async function path(t: Test, unix?: string): Promise<Path> {
  const { edge, open } = linked()
  t.teardown(() => edge.end('SESSION_CLOSED'))
  const front = await listen(t, { port: 0, host: '127.0.0.1' })
  const back = await listen(t, unix === undefined ? { port: 0, host: '127.0.0.1' } : { path: unix })
  const visitorIn = once(front, 'connection') as Promise<[Socket]>
  const visitor = connect({ port: (front.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = await visitorIn
  const serviceIn = once(back, 'connection') as Promise<[Socket]>
  const dialled = connect(
    unix === undefined
      ? { port: (back.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }
      : { path: unix, allowHalfOpen: true },
  )
  const [service] = await serviceIn
  const [mine, theirs] = await open()
  for (const socket of [visitor, service]) {
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  }
  const edgeEnd = new Promise<SpliceEnd>((onClosed) => splice(accepted, mine, { onClosed }))
  const agentEnd = new Promise<SpliceEnd>((onClosed) => splice(dialled, theirs, { onClosed, broken: 'SERVICE_BROKE' }))
  return { visitor, service, mine, theirs, edgeEnd, agentEnd }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function received(socket: Socket): Promise<string> {
  const hash = createHash('sha256')
  socket.on('data', (bytes: Buffer) => hash.update(bytes))
  await once(socket, 'end')
  return hash.digest('hex')
}

t.test('20 MiB each way at once, equal SHA-256, and an orderly end', async (t) => {
  const { visitor, service, edgeEnd, agentEnd } = await path(t)
  const up = randomBytes(20 << 20)
  const down = randomBytes(20 << 20)
  const got = Promise.all([received(service), received(visitor)])
  visitor.end(up)
  service.end(down)
  t.same(await got, [sha256(up), sha256(down)])
  t.same(await edgeEnd, { fromSocket: up.length, toSocket: down.length, code: undefined })
  t.same(await agentEnd, { fromSocket: down.length, toSocket: up.length, code: undefined })
})

t.test('half-close is kept: an answer after the end of the question, on each side', async (t) => {
  for (const turned of [false, true]) {
    const { visitor, service, agentEnd } = await path(t)
    const [first, second] = turned ? [service, visitor] : [visitor, service]
    first.end('question')
    const question: Buffer[] = []
    second.on('data', (bytes: Buffer) => question.push(bytes))
    await once(second, 'end')
    t.equal(Buffer.concat(question).toString(), 'question')
    const answer: Buffer[] = []
    first.on('data', (bytes: Buffer) => answer.push(bytes))
    second.end('answer')
    await once(first, 'end')
    t.equal(Buffer.concat(answer).toString(), 'answer')
    t.equal((await agentEnd).code, undefined)
  }
})

t.test('RST on one side becomes RST on the other', async (t) => {
  for (const turned of [false, true]) {
    const { visitor, service, edgeEnd, agentEnd } = await path(t)
    const [breaks, hears] = turned ? [service, visitor] : [visitor, service]
    hears.resume()
    breaks.write('some')
    await once(hears, 'data')
    const error = once(hears, 'error') as Promise<[NodeJS.ErrnoException]>
    breaks.resetAndDestroy()
    t.equal((await error)[0].code, 'ECONNRESET')
    const expected = turned ? 'SERVICE_BROKE' : 'CANCELLED'
    t.same([(await edgeEnd).code, (await agentEnd).code], [expected, expected])
  }
})

t.test('a stream that is reset ends a Unix socket too', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'splice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { visitor, service, mine, agentEnd } = await path(t, join(folder, 's.sock'))
  service.resume()
  visitor.write('x')
  await once(service, 'data')
  const closed = once(service, 'close')
  mine.reset('STREAM_ABORTED')
  service.end()
  await closed
  t.equal((await agentEnd).code, 'STREAM_ABORTED')
})

t.test('who does not read holds the sender up; nothing grows', async (t) => {
  const { visitor, service, mine, theirs } = await path(t)
  visitor.pause()
  const sent = Buffer.alloc(64 << 20, 7)
  service.write(sent)
  let before = -1
  while (theirs.sent !== before) {
    before = theirs.sent
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  }
  t.ok(before < 24 << 20, `${before} bytes went before it stopped`)
  t.equal(mine.closed, false)
  let came = 0
  visitor.on('data', (bytes: Buffer) => (came += bytes.length)).resume()
  while (came < sent.length) await once(visitor, 'data')
  t.equal(came, sent.length)
})

t.test('a socket that is gone already resets its stream', async (t) => {
  const { edge, open } = linked()
  t.teardown(() => edge.end('SESSION_CLOSED'))
  const [mine] = await open()
  const socket = new Socket()
  socket.destroy()
  splice(socket, mine)
  t.equal(mine.closed, true)
})
