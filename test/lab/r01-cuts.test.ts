// R1. The carriers are cut in every way there is, under streams both ways and WebSockets.
import { join } from 'node:path'
import t from 'tap'
import { seeded } from '../support/bytes.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { type Lab, lab, Visitors } from './lab.ts'
import { EDGE, HOME, SERVICE, withoutLab } from './network.ts'

const MIB = 1024 * 1024
/** From the path's return to the next byte of the flow that waits longest. */
const MOST_MS = 2000 * PATIENCE
const DROPS_MS = LONG ? [5000, 20_000, 45_000] : [5000]
const STREAMS = LONG ? 100 : 20
const SIZE = LONG ? 4 * MIB : MIB
const CUTS = LONG ? 200 : 20

t.test('R1: carriers are cut', { skip: withoutLab() }, async (t) => {
  const here = await lab(t, { home: { v4: HOME.v4 } })
  const { faults } = here

  t.test('under streams that flow all the time: each goes on soon', async (t) => {
    const seconds = LONG ? 150 : 14
    const visitors = new Visitors(here, { seed: 'cuts', streams: STREAMS, bytes: SIZE, seconds, sockets: STREAMS / 5 })
    await visitors.under()
    const see = async (what: string, back: () => Promise<number> | number): Promise<void> => {
      const waitedFrom = performance.now()
      await visitors.inStep()
      t.comment(`R1 ${what}: in step again before it after ${Math.round(performance.now() - waitedFrom)} ms`)
      const ms = await visitors.pause(await back())
      t.comment(`R1 ${what}: flowing again ${ms === 0 ? '< 300' : Math.round(ms)} ms after the path was back`)
      t.ok(ms <= MOST_MS, `${what}: ${Math.round(ms)} ms`)
    }
    for (const ms of DROPS_MS) {
      // oxlint-disable-next-line no-await-in-loop -- one fault after the other
      await see(`dropped for ${ms / 1000} s`, () => faults.dropSilently(ms))
    }
    await see('RST', () => faults.reset())
    await see('NAT rebinding', () => faults.rebindNat())
    t.same(await visitors.faulty(), [], 'no byte lost, doubled or reordered, no WebSocket closed')
  })

  t.test('after the service has ended its side: it hears all that its visitor goes on to say', async (t) => {
    const service = here.here.startAt('service', 'farewell', farewell('service', SERVICE))
    const { port } = await service.until('ready')
    const { tunnel } = await here.here.publish('home', `tcp://${SERVICE}:${String(port)}`)
    const visitor = here.here.startAt(
      'visitor',
      'visitor of farewell',
      farewell('visitor', EDGE.forVisitors, String(tunnel.port)),
    )
    const witnesses = [here.agent, here.here.edge, visitor]
    t.match(await visitor.until('ended', { witnesses }), { heard: 'farewell' })
    const before = here.agent.mark
    faults.reset()
    await here.agent.until('carrier_lost', { after: before, witnesses })
    await faults.dropSilently(1500)
    const { bytes, sha256 } = await visitor.until('said', { witnesses })
    t.match(await service.until('heard', { witnesses }), { bytes, sha256 })
  })

  t.test('at random byte offsets, at full speed: every byte arrives', async (t) => {
    const offsets = randomOffsets(CUTS, (2 * STREAMS * SIZE) / CUTS)
    let cuts = 0
    for (let party = 0; cuts < offsets.length; party++) {
      const seed = `offsets ${party}`
      const visitors = new Visitors(here, { seed, streams: STREAMS, bytes: SIZE, seconds: 0, sockets: STREAMS / 5 })
      // oxlint-disable-next-line no-await-in-loop -- one party after the other
      cuts += await cutAt(here, visitors, offsets.slice(cuts))
      // oxlint-disable-next-line no-await-in-loop -- one party after the other
      t.same(await visitors.faulty(), [], 'no byte lost, doubled or reordered, no WebSocket closed')
    }
    t.comment(`R1 ${cuts} RST after ${Math.min(...offsets)} … ${Math.max(...offsets)} bytes of a carrier: 0 bytes lost`)
  })
})

/** Resets each carrier after its number of bytes while the visitors are busy; how many it came to. */
async function cutAt({ agent, faults }: Lab, { program }: Visitors, offsets: readonly number[]): Promise<number> {
  let cuts = 0
  for (const offset of offsets) {
    const after = agent.mark
    faults.cutAfter(offset)
    // oxlint-disable-next-line no-await-in-loop -- one cut after the other
    const event = await Promise.race([agent.until('carrier_lost', { after }), program.until('done')])
    if (event.event === 'done') break
    cuts++
  }
  faults.mend()
  return cuts
}

function farewell(...args: string[]): [string, ...string[]] {
  return [process.execPath, join(import.meta.dirname, 'farewell.ts'), ...args]
}

/** From 16 KiB, which is past the handshake, evenly up to twice the mean. */
function randomOffsets(count: number, mean: number): number[] {
  const bytes = Buffer.concat([...seeded('offsets', 4 * count)])
  const least = 16 * 1024
  return Array.from({ length: count }, (_, index) => {
    return least + Math.round((bytes.readUInt32LE(4 * index) / 2 ** 32) * 2 * (mean - least))
  })
}
