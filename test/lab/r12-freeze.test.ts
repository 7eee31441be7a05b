// R12. Edge, agent and service stop for 30 s without a word (SIGSTOP); streams half-close meanwhile.
import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import t from 'tap'
import type { Program } from '../support/program.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { moment } from './faults.ts'
import { type Lab, lab, Visitors } from './lab.ts'
import { withoutLab } from './network.ts'

const FREEZE_MS = LONG ? 30_000 : 16_000
const NOTICE_MS = 15_000
/** As after any other loss of the path: R1. */
const MOST_PAUSE_MS = 2000 * PATIENCE
const STREAMS = 20

interface Case {
  readonly who: string
  readonly frozen: (here: Lab) => Program
  /** Who notices, and by which event; nobody can tell a frozen service from a slow one. */
  readonly witness?: (here: Lab) => Program
  readonly notices?: string
}

const EVERY: readonly Case[] = [
  { who: 'edge', frozen: ({ here }) => here.edge, witness: ({ agent }) => agent, notices: 'carrier_lost' },
  { who: 'agent', frozen: ({ agent }) => agent, witness: ({ here }) => here.edge, notices: 'agent_offline' },
  { who: 'service', frozen: ({ services }) => services.program },
]
const CASES = LONG ? EVERY : EVERY.filter(({ who }) => who === 'agent')

t.test('R12: a program is frozen', { skip: withoutLab() }, async (t) => {
  const here = await lab(t)
  for (const { who, frozen, witness, notices } of CASES) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await t.test(`the ${who}, for ${FREEZE_MS / 1000} s`, async (t) => {
      const party = { seed: who, streams: STREAMS, bytes: 1024 * 1024 }
      const going = new Visitors(here, { ...party, seconds: FREEZE_MS / 1000 + 6, sockets: 4 })
      // These have said all they have to say, and their end, before it goes on.
      const ending = new Visitors(here, { ...party, seconds: 5, sockets: 0 })
      await Promise.all([going.under(), ending.under()])
      const after = witness?.(here).mark ?? 0
      const startedAt = moment()
      const thawed = here.faults.freeze(frozen(here), FREEZE_MS)
      if (witness && notices !== undefined) {
        await witness(here).until(notices, { after, deadlineMs: NOTICE_MS })
        t.comment(`R12 ${who} frozen: noticed after ${Math.round(moment() - startedAt)} ms`)
      }
      const pause = await going.pause(await thawed)
      t.comment(`R12 ${who} frozen ${FREEZE_MS / 1000} s: the slowest stream went on ${Math.round(pause)} ms after it`)
      t.ok(pause <= MOST_PAUSE_MS, `${Math.round(pause)} ms`)
      t.same(await going.faulty(), [], 'nothing lost')
      t.same(await ending.faulty(), [], 'what half-closed meanwhile still got its answer')
      for (const room of ['service', 'visitor'] as const) {
        const left = (): boolean => connections(here, room) > 0
        // What ended last is seen to by processes of their own, and the agent looks whether its services answer.
        for (let tries = 0; tries < 300 && left(); tries++) await setTimeoutPromise(100)
        t.notOk(left(), `no connection is left at the ${room}`)
      }
    })
  }
})

function connections({ network }: Lab, room: 'service' | 'visitor'): number {
  return network.exec(room, ['ss', '-Htn', 'state', 'established']).split('\n').filter(Boolean).length
}
