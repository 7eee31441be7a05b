import { globSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connect, read } from '../support/socket.ts'
import { without } from '../support/tools.ts'
import { type Place, type World, world } from '../support/world.ts'

const [LIBRARY] = globSync(['/usr/lib/*/faketime/libfaketimeMT.so.1', '/usr/lib/faketime/libfaketimeMT.so.1'])
const skip = without('faketime') || (LIBRARY === undefined && 'needs libfaketimeMT.so.1')
/** Round trips after each jump, on a stream that was there before it. */
const ROUND_TRIPS = 50

/** A world whose programs have clocks of their own; what a file says holds from the next look on. Timers run on. */
class Clocks {
  readonly #folder = mkdtempSync(join(tmpdir(), 'engawa-clocks-'))

  constructor(owner: Test) {
    owner.teardown(() => rmSync(this.#folder, { recursive: true }))
    for (const place of ['edge', 'agent'] as const) this.set(place, '+0')
  }

  /** `+2d`, or `@1970-01-02 00:00:00` for a clock that begins there with its program. */
  set(place: Place, time: string): void {
    const next = this.#file(`${place}.next`)
    writeFileSync(next, `${time}\n`)
    renameSync(next, this.#file(place))
  }

  open(owner: Test): Promise<World> {
    const listens = ['--http', '--https', '--admin'].flatMap((flag) => [flag, '127.0.0.1:0'])
    return world(owner, {
      places: {
        enter: (place) => (place === 'edge' || place === 'agent' ? this.#faked(place) : []),
        edgeFlags: ['--bind', '127.0.0.1', '--public-host', '127.0.0.1', ...listens],
        serviceHost: '127.0.0.1',
      },
    })
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }

  #faked(place: Place): string[] {
    const file = `FAKETIME_TIMESTAMP_FILE=${this.#file(place)}`
    return ['env', `LD_PRELOAD=${LIBRARY}`, file, 'FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1']
  }
}

t.test('R8 clocks that are wrong, and clocks that jump', { skip }, async (t) => {
  const clocks = new Clocks(t)
  const here = await clocks.open(t)
  const services = await here.services('echo')

  for (const [name, time, year] of [
    ['early', '@1970-01-02 00:00:00', '1970'],
    ['late', '+20y', String(new Date().getUTCFullYear() + 20)],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await t.test(`an agent in the year ${year} joins, logs in and serves`, async (t) => {
      clocks.set('agent', time)
      await here.join(name)
      const { agent, tunnel } = await here.publish(name, `tcp://${services.echo}`, '--log-level', 'info')
      await agent.untilLogged(new RegExp(`"time":"${year}-`))
      const socket = await connect(tunnel.port)
      socket.end('what time is it?')
      t.equal((await read(socket)).toString(), 'what time is it?')
      t.comment(`R8 an agent in the year ${year} has joined, logged in and served`)
      await agent.stop()
    })
  }

  await t.test('by two days while they run: nothing drops', async (t) => {
    clocks.set('agent', '+0')
    await here.join('home')
    const { agent, tunnel } = await here.publish('home', `tcp://${services.echo}`, '--log-level', 'info')
    await agent.until('connected')
    const marks = { agent: agent.mark, edge: here.edge.mark }
    const socket = await connect(tunnel.port)
    const talk = async (): Promise<void> => {
      for (let count = 0; count < ROUND_TRIPS; count++) {
        socket.write(`word ${count};`)
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        t.equal((await read(socket, `word ${count};`.length)).toString(), `word ${count};`)
      }
    }
    await talk()
    let jumps = 0
    for (const place of ['agent', 'edge'] as const) {
      for (const time of ['+2d', '-2d', '+0']) {
        clocks.set(place, time)
        jumps++
        // oxlint-disable-next-line no-await-in-loop -- one jump after the other
        await talk()
        // The agent looks once a second.
        const noticed = /the network of this machine has changed/
        // oxlint-disable-next-line no-await-in-loop -- one jump after the other
        if (place === 'agent') await agent.untilLogged(noticed, { times: jumps })
        // oxlint-disable-next-line no-await-in-loop -- one jump after the other
        await talk()
      }
    }
    socket.destroy()
    const dropped = [...agent.events.slice(marks.agent), ...here.edge.events.slice(marks.edge)].filter(({ event }) =>
      /lost|disconnected|offline|resumed/.test(event),
    )
    t.same(dropped, [], 'no carrier was lost, nobody was away')
    t.comment(`R8 ${jumps} jumps of 2 and 4 days: ${dropped.length} carriers lost, the stream went on`)
  })
})
