import { once } from 'node:events'
import { chmodSync, statSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Agent } from '@engawa/agent/agent'
import type { ShownEvent } from '@engawa/agent/events'
import { exposedSecrets, needIdentity } from '@engawa/agent/identity'
import { joinEdge } from '@engawa/agent/join'
import { parseWish } from '@engawa/agent/wish'
import { codeOf } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { SmallEdge } from './support/edge.ts'
import { temporaryFolder } from './support/folder.ts'

class Ear {
  readonly heard: ShownEvent[] = []
  readonly #waiting = new Set<() => void>()

  tell(event: ShownEvent): void {
    this.heard.push(event)
    for (const look of this.#waiting) look()
  }

  event<Name extends ShownEvent['event']>(name: Name, from = 0): Promise<Extract<ShownEvent, { event: Name }>> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.heard.slice(from).find(({ event }) => event === name)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found as Extract<ShownEvent, { event: Name }>)
      }
      this.#waiting.add(look)
      look()
    })
  }
}

async function world(t: Test) {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  const agent = new Agent({ folder, identity: needIdentity(folder), log: pino({ level: 'silent' }), carriers: 1 })
  t.teardown(() => agent.end())
  const ear = new Ear()
  agent.join(ear, [])
  return { edge, folder, agent, ear }
}

/** As `world`, with a wire between agent and edge that can fall silent. */
async function shimmed(t: Test) {
  const edge = await SmallEdge.start(t)
  const wires = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(edge.port, '127.0.0.1')
    for (const socket of [near, far]) {
      wires.add(socket)
      socket.on('error', () => {}).once('close', () => wires.delete(socket))
    }
    near.pipe(far)
    far.pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  edge.toldPort = (server.address() as AddressInfo).port
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  const agent = new Agent({ folder, identity: needIdentity(folder), log: pino({ level: 'silent' }), carriers: 1 })
  t.teardown(() => {
    agent.end()
    for (const wire of wires) wire.destroy()
    server.close()
  })
  const ear = new Ear()
  agent.join(ear, [])
  const freeze = (): void => {
    for (const wire of wires) wire.unpipe().pause()
  }
  return { edge, agent, ear, shim: { freeze } }
}

/** A service on a free port that sends everything back and tells of its sockets. */
async function echo(t: Test) {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, sockets, server }
}

/** Everything that comes on a stream, its end, or its reset. */
function listen(stream: Stream) {
  let text = ''
  const { promise: ended, resolve } = Promise.withResolvers<string>()
  const { promise: accepted, resolve: accept } = Promise.withResolvers<void>()
  const waiting = new Set<() => void>()
  stream.handler = {
    data(bytes) {
      text += Buffer.from(bytes).toString()
      stream.consumed(bytes.length)
      for (const look of waiting) look()
    },
    end: () => resolve('end'),
    reset: (code) => resolve(code),
    drain: () => {},
    accepted: () => accept(),
  }
  const got = (wanted: string): Promise<void> =>
    new Promise((done) => {
      const look = (): void => {
        if (text === wanted) done()
      }
      waiting.add(look)
      look()
    })
  return { ended, accepted, got }
}

t.test('joining keeps the key private and the edge known', async (t) => {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  const identity = await joinEdge(folder, `agent join ${edge.joinLine}`)
  t.equal(identity.agent, 'home')
  t.equal(statSync(folder).mode & 0o777, 0o700)
  for (const file of ['key.pem', 'identity.json']) t.equal(statSync(join(folder, file)).mode & 0o777, 0o600)
  t.same(exposedSecrets(folder), [])
  chmodSync(join(folder, 'key.pem'), 0o640)
  t.same(exposedSecrets(folder), [join(folder, 'key.pem')], 'others may read it')
  t.same(needIdentity(folder).addresses, [`127.0.0.1:${edge.port}`])
  await t.rejects(joinEdge(folder, edge.joinLine), { code: 'ALREADY_JOINED' })
})

t.test('a lost answer costs nothing: the next try brings the same key', async (t) => {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  edge.refuses.join = 'INVITATION_EXPIRED'
  await t.rejects(joinEdge(folder, edge.joinLine), { code: 'INVITATION_EXPIRED' })
  const inode = statSync(join(folder, 'key.pem')).ino
  edge.refuses = {}
  await joinEdge(folder, edge.joinLine)
  t.equal(statSync(join(folder, 'key.pem')).ino, inode)
})

t.test('the addresses that an edge adds to the line lead nowhere inside', async (t) => {
  const edge = await SmallEdge.start(t)
  const inside = [
    '192.168.0.1:22',
    '10.1.2.3:443',
    '100.64.0.1:443',
    '[::1]:443',
    '[fd00::1]:443',
    '169.254.169.254:80',
  ]
  const untyped = [
    '[64:ff9b::c0a8:1]:80',
    '[2002:c0a8:1::]:80',
    '0.0.0.0:80',
    'router.example:443',
    'localhost:22',
    'x',
  ]
  const fine = [`127.0.0.1:${edge.port}`, '127.0.0.1:444', '203.0.113.5:443', '[2001:db8::5]:443']
  edge.told = [...inside, ...untyped, ...fine]
  const folder = join(temporaryFolder(t), 'data')
  t.same((await joinEdge(folder, edge.joinLine)).addresses, fine)
  edge.told = inside
  const other = join(temporaryFolder(t), 'data')
  t.same((await joinEdge(other, edge.joinLine)).addresses, [`127.0.0.1:${edge.port}`], 'the line alone')
})

t.test('an edge with another key is told nothing', async (t) => {
  const edge = await SmallEdge.start(t)
  const other = await SmallEdge.start(t)
  const line = edge.joinLine
  const { encodeJoin, decodeJoin } = await import('@engawa/shared/join')
  const wrong = encodeJoin({ ...decodeJoin(line), addresses: [`127.0.0.1:${other.port}`] })
  await t.rejects(joinEdge(join(temporaryFolder(t), 'data'), wrong), { code: 'PIN_MISMATCH' })
})

t.test('a target is published and its service reached', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  const { name, public: address } = await ear.event('tunnel')
  t.equal(name, `home-${port}`)
  t.equal(address, 'localhost:1')
  const stream = edge.open(1)
  const heard = listen(stream)
  stream.write(Buffer.from('before it is reached'))
  await heard.accepted
  stream.write(Buffer.from(' and after'))
  await heard.got('before it is reached and after')
  stream.end()
  t.equal(await heard.ended, 'end', 'half-close goes through and comes back')
})

t.test('O1 a stream for what is not published reaches nothing', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port, sockets } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  await ear.event('tunnel')
  t.equal(await listen(edge.open(99)).ended, 'SERVICE_UNKNOWN')
  t.equal(await listen(edge.open(1, 1)).ended, 'SERVICE_UNKNOWN', 'a port outside the range')
  t.ok(sockets.length <= 1, 'nothing but the agent looking whether its service answers')
})

t.test('who publishes a service of this machine is warned once, behind its address, if it gets one', async (t) => {
  const { edge, agent, ear } = await world(t)
  agent.start()
  agent.publish(ear, parseWish({ target: 'tcp://1' }))
  await ear.event('notice')
  const about = ear.heard.map(({ event }) => event).filter((event) => event === 'tunnel' || event === 'notice')
  t.same(about, ['tunnel', 'notice'])
  const from = ear.heard.length
  agent.publish(ear, parseWish({ target: 'tcp://1', name: 'again' }))
  await ear.event('tunnel', from)
  edge.answer = (bind) => ({ type: 'refused', service: bind.service, code: 'NAME_TAKEN', message: 'taken' })
  agent.publish(ear, parseWish({ target: 'tcp://2' }))
  await ear.event('refused', from)
  t.equal(ear.heard.slice(from).filter(({ event }) => event === 'notice').length, 0)
})

t.test('a service that refuses is told to the visitor and to the terminal', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port, server } = await echo(t)
  server.close()
  await once(server, 'close')
  agent.start()
  agent.publish(ear, parseWish({ target: String(port) }))
  await ear.event('tunnel')
  const silent = await ear.event('service')
  t.match(silent, { reachable: false, code: 'SERVICE_REFUSED' })
  t.equal(await listen(edge.open(1)).ended, 'SERVICE_REFUSED')
})

t.test('a cut carrier is replaced and the stream goes on', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  await ear.event('tunnel')
  const stream = edge.open(1)
  const heard = listen(stream)
  stream.write(Buffer.from('one'))
  await heard.got('one')
  edge.cut()
  stream.write(Buffer.from(' two'))
  await heard.got('one two')
  t.equal(edge.logins, 1)
  t.ok(edge.attaches >= 1, 'while streams wait a slow attempt is not the only one')
  t.match(await ear.event('resumed'), { streams: 1 })
})

t.test('a link that falls silent is replaced, whatever the kernel thinks of it', async (t) => {
  const { edge, agent, ear, shim } = await shimmed(t)
  const { port } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  await ear.event('tunnel')
  const stream = edge.open(1)
  const heard = listen(stream)
  stream.write(Buffer.from('one'))
  await heard.got('one')
  shim.freeze()
  const frozenAt = performance.now()
  stream.write(Buffer.from(' two'))
  await heard.got('one two')
  t.ok(performance.now() - frozenAt < 15_000, `${performance.now() - frozenAt} ms`)
  t.equal(edge.logins, 1)
})

t.test('an edge that has forgotten the session gets a login and the same tunnels', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port, sockets } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  await ear.event('tunnel')
  const stream = edge.open(1)
  const heard = listen(stream)
  stream.write(Buffer.from('here'))
  await heard.got('here')
  const from = ear.heard.length
  const closed = Promise.all(
    sockets.filter((socket) => !socket.closed).map((socket) => new Promise((resolve) => socket.once('close', resolve))),
  )
  const { port: edgePort } = edge
  await edge.die()
  await ear.event('disconnected', from)
  await edge.listen(edgePort)
  await ear.event('connected', from)
  const binds = (): number => edge.messages.filter(({ type }) => type === 'bind').length
  while (binds() < 2) await once(edge, 'message')
  t.equal(edge.logins, 2)
  await closed
  t.equal(binds(), 2)
})

t.test('a revoked agent stops for good', async (t) => {
  const { edge, agent, ear } = await world(t)
  agent.start()
  await ear.event('connected')
  edge.held?.pump.end('REVOKED')
  t.equal((await agent.ended).code, 'REVOKED')
  t.equal((await ear.event('ended')).code, 'REVOKED')
})

t.test('a dangerous address needs --reach besides', async (t) => {
  const { edge, agent, ear } = await world(t)
  agent.start()
  await ear.event('connected')
  agent.publish(ear, parseWish({ target: 'tcp://169.254.169.254:80' }))
  t.equal((await ear.event('refused')).code, 'REACH_DENIED')
  agent.publish(ear, parseWish({ target: 'tcp://169.254.169.254:80', reach: ['169.254.169.254'] }))
  await once(edge, 'message')
  t.equal(edge.messages.length, 1)
})

t.test('an edge that floods its agent with messages loses the session [E2]', async (t) => {
  const { edge, agent, ear } = await world(t)
  agent.start()
  await ear.event('connected')
  const from = ear.heard.length
  const ended = once(edge, 'closed')
  for (let n = 0; n < 3000; n++) edge.say({ type: 'unbound', service: 99, code: 'CANCELLED' })
  t.equal((await ended)[0], 'MESSAGE_FLOOD')
  t.match(await ear.event('disconnected', from), { message: 'MESSAGE_FLOOD' })
  await ear.event('connected', from)
})

t.test('release asks the edge, and forgets the name', async (t) => {
  const { agent, ear, edge } = await world(t)
  const { port } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: String(port), name: 'blog' }))
  await ear.event('tunnel')
  await agent.release('blog')
  t.same(
    edge.messages.map(({ type }) => type),
    ['bind', 'unbind', 'release'],
  )
  t.throws(() => agent.remove('blog'), { code: 'NAME_UNKNOWN' })
})

t.test('the drain waits for what runs', async (t) => {
  const { edge, agent, ear } = await world(t)
  const { port } = await echo(t)
  agent.start()
  agent.publish(ear, parseWish({ target: `tcp://${port}` }))
  await ear.event('tunnel')
  const stream = edge.open(1)
  const heard = listen(stream)
  await heard.accepted
  const stopped = agent.stop(10_000)
  await once(edge, 'message')
  t.equal(await listen(edge.open(1)).ended, 'AGENT_DRAINING')
  stream.write(Buffer.from('still here'))
  await heard.got('still here')
  stream.end()
  await stopped
  t.equal(codeOf(undefined), 'INTERNAL')
})
