import { EventEmitter, once } from 'node:events'
import * as grpc from '@grpc/grpc-js'
import t from 'tap'
import { LONG } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const OUTAGE_MS = LONG ? 45_000 : 2000

const plain = (value: Buffer): Buffer => value

function method(name: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: `/engawa.Test/${name}`,
    requestStream,
    responseStream,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: plain,
    responseDeserialize: plain,
  }
}

const SERVICE = {
  echo: method('Echo', false, false),
  sum: method('Sum', true, false),
  count: method('Count', false, true),
  chat: method('Chat', true, true),
}

const told = new EventEmitter()
const server = new grpc.Server()
server.addService(SERVICE, {
  echo(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
    const trailers = new grpc.Metadata()
    trailers.set('x-asked', call.metadata.get('x-own').join())
    trailers.set('x-sum-bin', Buffer.from([0, 255]))
    if (call.request.length > 0) return done(null, call.request, trailers)
    return done({ code: grpc.status.NOT_FOUND, details: '縁側', metadata: trailers })
  },
  sum(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
    let sum = 0
    call.on('data', (bytes: Buffer) => {
      sum += bytes.length
    })
    call.on('end', () => done(null, Buffer.from(String(sum))))
  },
  count(call: grpc.ServerWritableStream<Buffer, Buffer>) {
    for (let at = 0; at < Number(call.request.toString()); at++) call.write(Buffer.from(String(at)))
    call.end()
  },
  chat(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
    call.on('data', (bytes: Buffer) => call.write(bytes))
    call.on('end', () => call.end())
    call.on('cancelled', () => told.emit('cancelled'))
  },
})

const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
    error === null ? resolve(bound) : reject(error),
  )
})
t.teardown(() => server.forceShutdown())

const config = `${t.testdir({ 'edge.yaml': 'limits: { held: { forMs: 300 } }\n' })}/edge.yaml`
const here = await world(t, { shim: true, edgeFlags: ['--config', config] })
await here.join('home')
const { agent } = await here.publish('home', `h2c://:${port}`, '--name', 'web')
const pem = /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec((await here.edgeDo('ca')).stdout)?.[0] ?? ''
const Client = grpc.makeGenericClientConstructor(SERVICE, 'Test')
const client = new Client(
  `ipv4:127.0.0.1:${here.https.split(':').at(-1)}`,
  grpc.credentials.createSsl(Buffer.from(pem)),
  {
    'grpc.ssl_target_name_override': here.host('web'),
    'grpc.default_authority': here.host('web'),
  },
)
t.teardown(() => client.close())

/** One call of one message, as its answer, status and trailers. */
function ask(bytes: Buffer): Promise<{ answer: Buffer | undefined; status: grpc.StatusObject }> {
  return new Promise((resolve) => {
    const metadata = new grpc.Metadata()
    metadata.set('x-own', 'mine')
    let answer: Buffer | undefined
    const call = client['echo']?.(bytes, metadata, (_error: unknown, value?: Buffer) => {
      answer = value
    }) as grpc.ClientUnaryCall
    call.on('status', (status) => resolve({ answer, status }))
  })
}

t.test('a call of one message: answer, metadata, status', async (t) => {
  const { answer, status } = await ask(Buffer.from('engawa'))
  t.equal(answer?.toString(), 'engawa')
  t.match(status, { code: grpc.status.OK })
  t.strictSame(status.metadata.get('x-asked'), ['mine'])
  t.strictSame(status.metadata.get('x-sum-bin'), [Buffer.from([0, 255])])
  const large = Buffer.alloc(3 * MIB, 'x')
  t.ok((await ask(large)).answer?.equals(large))
  const failed = await ask(Buffer.alloc(0))
  t.match(failed.status, { code: grpc.status.NOT_FOUND, details: '縁側' })
  t.strictSame(failed.status.metadata.get('x-asked'), ['mine'])
})

t.test('many at once, on one connection to the service', async (t) => {
  const all = await Promise.all(Array.from({ length: 60 }, (_, at) => ask(Buffer.from(`message ${at}`))))
  t.strictSame(
    all.map(({ answer }) => answer?.toString()),
    Array.from({ length: 60 }, (_, at) => `message ${at}`),
  )
})

t.test('a stream of messages to the service, and one from it', async (t) => {
  const sum = new Promise<string>((resolve, reject) => {
    const call = client['sum']?.((error: Error | null, value?: Buffer) =>
      error === null ? resolve(String(value)) : reject(error),
    ) as grpc.ClientWritableStream<Buffer>
    for (let at = 0; at < 64; at++) call.write(Buffer.alloc(64 * 1024))
    call.end()
  })
  t.equal(await sum, String(64 * 64 * 1024))
  const call = client['count']?.(Buffer.from('1000')) as grpc.ClientReadableStream<Buffer>
  const numbers: number[] = []
  call.on('data', (bytes: Buffer) => numbers.push(Number(bytes.toString())))
  const [status] = (await once(call, 'status')) as [grpc.StatusObject]
  t.equal(status.code, grpc.status.OK)
  t.strictSame(
    numbers,
    Array.from({ length: 1000 }, (_, at) => at),
  )
})

t.test('both ways at once, and it outlives its carrier', async (t) => {
  const call = client['chat']?.() as grpc.ClientDuplexStream<Buffer, Buffer>
  for (let at = 0; at < 5; at++) {
    call.write(Buffer.from(`line ${at}`))
    const [back] = (await once(call, 'data')) as [Buffer]
    t.equal(back.toString(), `line ${at}`)
    if (at === 2) here.shim?.reset()
  }
  const over = once(call, 'status')
  call.end()
  t.match(await over, [{ code: grpc.status.OK }])
})

t.test(
  `${OUTAGE_MS / 1000} s without a way time out neither a stream nor an upload`,
  { timeout: 280_000 },
  async (t) => {
    const chat = client['chat']?.() as grpc.ClientDuplexStream<Buffer, Buffer>
    const sum = Promise.withResolvers<string>()
    const upload = client['sum']?.((error: Error | null, value?: Buffer) =>
      error === null ? sum.resolve(String(value)) : sum.reject(error),
    ) as grpc.ClientWritableStream<Buffer>
    chat.write(Buffer.from('before'))
    t.equal(String((await once(chat, 'data'))[0]), 'before')
    const half = (): void => {
      for (let at = 0; at < 32; at++) upload.write(Buffer.alloc(64 * 1024))
    }
    half()
    const after = here.edge.mark
    if (LONG) here.shim?.blackHole()
    else here.shim?.refuse()
    const between = once(chat, 'data')
    chat.write(Buffer.from('in between'))
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS))
    here.shim?.restore()
    const backAt = performance.now()
    await here.edge.until('agent_resumed', { after })
    t.equal(String((await between)[0]), 'in between')
    t.comment(
      `gRPC: a stream went on ${Math.round(performance.now() - backAt)} ms after ${OUTAGE_MS / 1000} s without a way`,
    )
    half()
    upload.end()
    t.equal(await sum.promise, String(64 * 64 * 1024))
    chat.end()
    t.match(await once(chat, 'status'), [{ code: grpc.status.OK }])
  },
)

t.test('a call that is cancelled is cancelled at the service, one that is too late says so', async (t) => {
  const call = client['chat']?.() as grpc.ClientDuplexStream<Buffer, Buffer>
  call.on('error', () => {})
  call.write(Buffer.from('x'))
  await once(call, 'data')
  const cancelled = once(told, 'cancelled')
  call.cancel()
  await cancelled
  const late = client['chat']?.({ deadline: Date.now() + 300 }) as grpc.ClientDuplexStream<Buffer, Buffer>
  late.on('error', () => {})
  late.resume()
  const status = await new Promise<grpc.StatusObject>((resolve) => late.once('status', resolve))
  t.equal(status.code, grpc.status.DEADLINE_EXCEEDED)
})

t.test('without its agent the service is unavailable', async (t) => {
  await agent.stop()
  t.equal((await ask(Buffer.from('x'))).status.code, grpc.status.UNAVAILABLE)
})
