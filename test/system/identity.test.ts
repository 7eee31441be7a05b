import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer, type TLSSocket } from 'node:tls'
import t from 'tap'
import { run } from '../support/command.ts'
import { connect, ending, read } from '../support/socket.ts'
import { PATIENCE, without } from '../support/tools.ts'
import { type Services, type World, world } from '../support/world.ts'

let here: World
let services: Services

t.before(async () => {
  here = await world(t, { shim: true })
  services = await here.services()
})

t.test('a revoked agent is cut off within 1 s and cannot return', async (t) => {
  await here.join('revoked')
  const { agent, tunnel } = await here.publish('revoked', `tcp://${services.echo}`)
  const visitor = await connect(tunnel.port)
  visitor.write('x')
  await read(visitor, 1)
  const cut = ending(visitor)

  const command = here.edgeDo('agents', 'revoke', 'revoked')
  const [revoked, how] = await Promise.all([command.then(() => performance.now()), cut])
  const lateMs = performance.now() - revoked
  t.equal((await command).code, 0, (await command).stderr)
  t.equal(how, 'reset', 'its visitor is reset, never ended in order')
  t.ok(lateMs < 1000 * PATIENCE, `cut off ${lateMs} ms after the command`)
  t.comment(`revoked: visitor reset ${Math.round(lateMs)} ms after the command returned`)

  t.equal((await agent.exited).code, 3)
  t.match(agent.report(), /REVOKED/)
  const again = here.expose('revoked', `tcp://${services.echo}`)
  t.equal((await again.exited).code, 3, again.report())
  writeFileSync(join(here.agentData('revoked'), 'agent.yaml'), `tunnels:\n  - target: tcp://${services.echo}\n`)
  const up = await here.agentDo('revoked', 'up', '--json')
  t.equal(up.code, 3, up.stderr)
})

t.test('an invitation works once, and not after it has expired', async (t) => {
  const short = await here.invite('late', '--expires', '1s')
  const expired = delay(1100)
  const line = await here.invite('once')
  const first = await here.agentDo('once', 'join', line)
  t.equal(first.code, 0, first.stderr)
  const second = await here.agentDo('other', 'join', line)
  t.equal(second.code, 3)
  t.match(second.stderr + second.stdout, /INVITATION_USED|used/i)
  const joined = await here.agentDo('once', 'join', await here.invite('twice'))
  t.equal(joined.code, 2, 'a folder joins once')

  await expired
  const late = await here.agentDo('late', 'join', short)
  t.equal(late.code, 3)
  t.match(late.stderr + late.stdout, /INVITATION_EXPIRED|expired/i)
})

t.test('a replacing invitation revokes the old key and passes names on', async (t) => {
  await here.join('home')
  const { agent } = await here.publish('home', String(services.http), '--name', 'blog')
  const line = await here.invite('home')
  t.equal((await here.agentDo('new', 'join', line)).code, 0)
  t.equal((await agent.exited).code, 3, agent.report())
  await here.publish('new', String(services.http), '--name', 'blog')
})

t.test('one who cannot prove the pinned identity hears no secret', { skip: without('openssl') }, async (t) => {
  const line = await here.invite('deceived')
  const [key, certificate] = [here.folder('liar.key'), here.folder('liar.crt')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-batch']
  const subject = ['-subj', '/CN=liar', '-addext', 'subjectAltName=DNS:*.carrier.engawa.internal']
  await run(['openssl', 'req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])

  let heard = 0
  let greeted = 0
  const { promise: heardOf, resolve: hears } = Promise.withResolvers<void>()
  const liar = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (socket: TLSSocket) => {
    greeted++
    hears()
    socket.on('data', (bytes) => {
      heard += bytes.length
    })
    socket.on('error', () => undefined)
  })
  liar.on('tlsClientError', () => {
    greeted++
    hears()
  })
  liar.listen(0, '127.0.0.1')
  await once(liar, 'listening')
  t.teardown(() => liar.close())
  const address = liar.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  here.shim?.lead(`127.0.0.1:${address.port}`)

  const joining = await here.agentDo('deceived', 'join', line)
  t.equal(joining.code, 1, joining.stderr)
  t.match(joining.stderr + joining.stdout, /another key/)
  await heardOf
  t.equal(greeted, 1, 'it was dialled once')
  t.equal(heard, 0, 'not one byte inside TLS')

  here.shim?.lead(here.carrier)
  t.equal((await here.agentDo('deceived', 'join', line)).code, 0, 'the invitation is still good for the right edge')
})

t.test('joining tells apart what is in the way', async (t) => {
  const line = await here.invite('hindered')
  const join = async (): Promise<{ code: number | null; said: string }> => {
    const { code, stdout, stderr } = await here.agentDo('hindered', 'join', line)
    return { code, said: stderr + stdout }
  }
  t.teardown(() => {
    here.shim?.restore()
    here.shim?.lead(here.carrier)
  })
  const other = await world(t)
  here.shim?.lead(other.carrier)
  const wrong = await join()
  t.equal(wrong.code, 1, wrong.said)
  t.match(wrong.said, /another key/, 'the wrong edge hears no secret: a pin of one, the address of another')

  here.shim?.lead(here.http)
  const plain = await join()
  t.ok(plain.code === 1 || plain.code === 4, `an edge that speaks no TLS: exit ${plain.code}: ${plain.said}`)

  here.shim?.refuse()
  const refused = await join()
  t.equal(refused.code, 4, refused.said)
  here.shim?.blackHole()
  const silent = await join()
  t.equal(silent.code, 4, silent.said)
  t.equal(new Set([wrong, plain, refused, silent].map(({ said }) => said)).size, 4, 'each reads otherwise')
})
