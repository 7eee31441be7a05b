import type { Logger } from 'pino'
import type { Peers } from './peers.ts'

/** So many in one process, and it is beyond help: it ends, and the front starts another one. */
const MOST = 100
/** How often a process that could not hand over yet looks whether it can by now, ms. */
const LOOK_MS = 1000

export interface Faulty {
  readonly log: Logger
  readonly peers: Pick<Peers, 'several' | 'upgrade'>
  /** It takes what is new. */
  readonly serves: () => boolean
}

/**
 * Takes up what nobody has caught, a fault of ours or of what we stand on: it may have cost the one visitor who met it,
 * but must not cost all others their connections. Nobody can vouch for this process any more, so a fresh one takes what
 * is new and this one only finishes what runs. docs/decisions/0019
 */
export function containFaults({ log, peers, serves }: Faulty): void {
  let faults = 0
  let asked = false
  let owed: NodeJS.Timeout | undefined
  const handOver = async (): Promise<void> => {
    if (!serves()) return clearInterval(owed)
    // Two processes are enough, or whoever knows how to bring a fault about could fill the machine with them.
    if (asked || peers.several) return undefined
    asked = true
    try {
      log.warn('a fresh process takes what is new')
      await peers.upgrade()
    } catch (err) {
      log.error({ err }, 'no fresh process could take over')
      // It would fail again: the next fault asks again.
      clearInterval(owed)
      owed = undefined
    }
    asked = false
  }
  const caught = (fault: unknown): void => {
    faults++
    log.error({ err: fault, faults }, 'a fault of the edge')
    if (faults >= MOST) process.exit(1)
    owed ??= setInterval(() => void handOver(), LOOK_MS).unref()
    void handOver()
  }
  // A rejection that nobody handles comes here, too.
  process.on('uncaughtException', caught)
}
