import { once } from 'node:events'
import { join } from 'node:path'
import { run } from '@engawa/agent/commands/run'
import type { ShownEvent } from '@engawa/agent/events'
import { needIdentity } from '@engawa/agent/identity'
import { joinEdge } from '@engawa/agent/join'
import { en } from '@engawa/agent/show/en'
import { type Clock, REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { pino } from 'pino'
import t from 'tap'
import { SmallEdge } from '../support/edge.ts'
import { temporaryFolder } from '../support/folder.ts'

/** One timer that runs when the test says so. */
class HandClock implements Clock {
  delayMs: number | undefined
  #run: (() => void) | undefined
  #set = Promise.withResolvers<void>()

  now(): number {
    return REAL_CLOCK.now()
  }

  soon(work: () => void): void {
    REAL_CLOCK.soon(work)
  }

  setTimer(work: () => void, delayMs: number): unknown {
    this.delayMs = delayMs
    this.#run = work
    this.#set.resolve()
    return work
  }

  clearTimer(): void {
    this.#run = undefined
  }

  /** Once a timer is set, its time has come. */
  async strike(): Promise<void> {
    await this.#set.promise
    this.#set = Promise.withResolvers()
    this.#run?.()
  }
}

t.test(
  'up was replaced: it looks every 10 min, takes from nobody, and comes back when the other has gone [H9]',
  async (t) => {
    const edge = await SmallEdge.start(t)
    const folder = join(temporaryFolder(t), 'data')
    await joinEdge(folder, edge.joinLine)
    const heard: ShownEvent[] = []
    const said: string[] = []
    const clock = new HandClock()
    let look: (() => void) | undefined
    const running = run({
      folder,
      identity: needIdentity(folder),
      log: pino({ level: 'silent' }),
      carriers: 1,
      drainMs: 0,
      tell: (event) => {
        heard.push(event)
        look?.()
      },
      say: (text) => said.push(text),
      words: en,
      wishes: () => [],
      staysReplaced: true,
      needsReader: false,
      needsOne: false,
      clock,
    })
    const connected = (times: number): Promise<void> =>
      new Promise((resolve) => {
        look = () => {
          if (heard.filter(({ event }) => event === 'connected').length >= times) resolve()
        }
        look?.()
      })
    await connected(1)
    edge.refuses.login = 'REPLACED'
    edge.held?.pump.end('REPLACED', 'by 203.0.113.9')
    for (let count = 0; count < 3; count++) {
      const asked = once(edge, 'login')
      await clock.strike()
      t.equal(clock.delayMs, 600_000)
      await asked
    }
    edge.refuses = {}
    await clock.strike()
    await connected(2)
    t.same(edge.yields, [false, true, true, true, true])
    t.equal(heard.filter(({ event }) => event === 'ended').length, 1, 'told once')
    t.same(said, [en.replacedStays])
    process.emit('SIGTERM')
    t.equal(await running, 0)
  },
)
