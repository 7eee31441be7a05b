// R8 with `--carriers 1`: nobody else can tell that the only carrier is dead, so its agent asks, and dials another.
import t from 'tap'
import { connect, read } from '../support/socket.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** Suspect after 1 s of silence, then a dial: noticed, dialled and flowing again. */
const BUSY_MS = 2500 * PATIENCE
/** A PING after 4 s in which nothing came, and then the same. */
const IDLE_MS = 6500 * PATIENCE

t.test('R8 the only carrier is forgotten silently', async (t) => {
  const here = await world(t, { shim: true })
  const services = await here.services()
  await here.join('home')
  const { agent, tunnel } = await here.publish('home', `tcp://${services.echo}`, '--carriers', '1')
  const socket = await connect(tunnel.port)
  t.teardown(() => socket.destroy())
  const echo = async (word: string): Promise<string> => {
    socket.write(word)
    return (await read(socket, word.length)).toString()
  }
  t.equal(await echo('before'), 'before')

  t.test('under a stream that asks: it is answered over another one', async (t) => {
    const after = agent.mark
    here.shim?.drop()
    const droppedAt = performance.now()
    t.equal(await echo('during'), 'during')
    const tookMs = Math.round(performance.now() - droppedAt)
    t.comment(`R8 one carrier, dropped silently under a stream: answered after ${tookMs} ms`)
    t.ok(tookMs <= BUSY_MS, `${tookMs} ms`)
    await agent.until('carrier_lost', { after })
  })

  if (!LONG) return
  t.test('while nothing is said: noticed before anyone asks', async (t) => {
    const { accepted = 0 } = here.shim ?? {}
    const after = agent.mark
    here.shim?.drop()
    const droppedAt = performance.now()
    await agent.until('carrier_lost', { after })
    const tookMs = Math.round(performance.now() - droppedAt)
    t.comment(`R8 one carrier, dropped silently while idle: another stands after ${tookMs} ms`)
    t.ok(tookMs <= IDLE_MS, `${tookMs} ms`)
    t.equal(here.shim?.accepted, accepted + 1, 'dialled once')
    t.equal(await echo('after'), 'after')
  })
})
