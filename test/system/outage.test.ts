import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { seeded, seededHash } from '../support/bytes.ts'
import { LONG } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

/** In full: 45 s of silence under the limits that everybody has. In short: a refused way for longer than the limits. */
const OUTAGE_MS = LONG ? 45_000 : 5500
const LIMITS = LONG
  ? ''
  : 'limits: { responseHeadMs: 4000, bodyGraceMs: 4000, requestHeadMs: 4000, keepAliveIdleMs: 4000 }\n'

function ask(here: World, path: string, method = 'GET'): ClientRequest {
  const { hostname, port } = new URL(`http://${here.http}`)
  return request({ hostname, port, path, method, headers: { Host: here.host('home') }, agent: false })
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

/** The way is gone for the whole outage, and back. */
async function outage({ edge, shim }: World): Promise<void> {
  const after = edge.mark
  if (LONG) shim?.blackHole()
  else shim?.refuse()
  await setTimeoutPromise(OUTAGE_MS)
  shim?.restore()
  const backAt = performance.now()
  await edge.until('agent_resumed', { after })
  t.comment(`back ${Math.round(performance.now() - backAt)} ms after the way, away ${OUTAGE_MS} ms`)
}

async function settled(t: Test): Promise<World> {
  const folder = t.testdir({ 'edge.yaml': LIMITS })
  const here = await world(t, { shim: true, edgeFlags: ['--config', join(folder, 'edge.yaml')] })
  const services = await here.services('patient')
  await here.join('home')
  await here.publish('home', String(services.http))
  return here
}

t.test('time stands still while there is no carrier: nothing of these times out', { timeout: 280_000 }, async (t) => {
  const here = await settled(t)

  // Both ways at once, as gRPC does it.
  const call = ask(here, '/mirror', 'POST')
  call.write('one')
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  t.equal(String((await once(answer, 'data'))[0]), 'one')

  const upload = ask(here, '/hash?seed=slow', 'PUT')
  const uploaded = once(upload, 'response') as Promise<[IncomingMessage]>
  const chunks = [...seeded('slow', 4 * 1024 * 1024)]
  const half = chunks.splice(0, chunks.length / 2)
  for (const chunk of half) upload.write(chunk)

  // The service thinks for longer than is left when the way is gone.
  const thinking = once(ask(here, '/?delay=1000').end(), 'response') as Promise<[IncomingMessage]>

  const socket = new WebSocket(`ws://${here.http}/`, { headers: { Host: here.host('home') } })
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'open')

  const away = outage(here)
  const [second, echoed] = [once(answer, 'data'), once(socket, 'message')]
  call.write('two')
  socket.send('still here?')
  await away

  t.equal(String((await second)[0]), 'two', 'the call goes on')
  t.equal(String((await echoed)[0]), 'still here?', 'the WebSocket, too')
  t.notOk(closed)
  for (const chunk of chunks) upload.write(chunk)
  upload.end()
  const [hashed] = await uploaded
  t.match(JSON.parse(await textOf(hashed)), { size: 4 * 1024 * 1024, equal: true, sha256: seededHash('slow', 4 << 20) })
  const [thought] = await thinking
  t.equal(thought.statusCode, 200)
  thought.resume()
  call.end()
  t.equal(await textOf(answer), '')
  socket.terminate()
})
