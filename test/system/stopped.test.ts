import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import t from 'tap'
import { connect, read } from '../support/socket.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** Longer than the 1 s after which silence is suspicious; in full, as promised. */
const STOPPED_MS = LONG ? 30_000 : 4000

t.test(
  'R12 a process that stands still and goes on: no stream notices more than a pause',
  { timeout: 280_000 },
  async (t) => {
    const here = await world(t)
    const services = await here.services('stopped')
    await here.join('home')
    const { agent, tunnel } = await here.publish('home', `tcp://${services.echo}`)
    const socket = await connect(tunnel.port)
    socket.write('before')
    t.equal(String(await read(socket, 6)), 'before')
    for (const { name, program } of [
      { name: 'agent', program: agent },
      { name: 'edge', program: here.edge },
      { name: 'service', program: services.program },
    ]) {
      program.freeze()
      socket.write(name)
      await setTimeoutPromise(STOPPED_MS)
      program.thaw()
      const from = performance.now()
      t.equal(String(await read(socket, name.length)), name)
      const tookMs = performance.now() - from
      t.ok(tookMs < 2000 * PATIENCE, `${name}: going on ${Math.round(tookMs)} ms after it`)
      t.comment(`R12 ${name} stopped for ${STOPPED_MS} ms: going on ${Math.round(tookMs)} ms after it`)
    }
    socket.end('after')
    t.equal(String(await read(socket)), 'after', 'the half-close is kept')
    const logins = here.edge.events.filter(({ event }) => event === 'agent_online')
    t.equal(logins.length, 1, 'one session all along')
  },
)
