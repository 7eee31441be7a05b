import { setTimeout as setTimeoutPromise } from 'node:timers/promises'
import type { Welcome } from '@engawa/shared/carrier/handshake-messages'
import type { Pump } from '@engawa/shared/carrier/pump'
import type { CarrierState } from '@engawa/shared/mux/events'
import type { Session } from '@engawa/shared/mux/session'
import type { Endpoint } from '@engawa/shared/wire/opening'
import type { Used } from './routes.ts'

/** Between two looks whether all have answered, ms: a person waits for it. */
const ASK_LOOK_MS = 10

/** The session that stands: what a carrier is attached to it by, and which of its carriers answer. */
export class Standing {
  readonly pump: Pump
  readonly session: Session
  readonly id: string
  readonly secret: Uint8Array
  readonly generation: number
  /** What has not been heard since then may lead nowhere: the machine's network has changed. */
  #doubtedAt = 0

  constructor({ session: id, secret = '', generation }: Welcome, session: Session, pump: Pump) {
    this.id = id
    this.secret = Buffer.from(secret, 'base64url')
    this.generation = generation
    this.session = session
    this.pump = pump
  }

  /** Its carriers that answer. */
  get trusted(): readonly CarrierState[] {
    return this.session.carriers.filter(({ suspect, lastReadAt }) => !suspect && lastReadAt >= this.#doubtedAt)
  }

  /** Where those lead. */
  get remotes(): Used[] {
    return this.trusted.flatMap(({ number }) => this.pump.carrier(number)?.remote ?? [])
  }

  /** The machine's network is another: `present` are the addresses that it has now. */
  doubt(present: ReadonlySet<string>): void {
    this.#doubtedAt = performance.now()
    for (const { number } of this.session.carriers) {
      const carrier = this.pump.carrier(number)
      // From an address that is no more nothing can be sent, and nothing will come.
      if (carrier !== undefined && !isPresent(carrier.local, present)) carrier.destroy()
    }
    this.session.probe(this.#doubtedAt)
  }

  /** Asks every carrier for a sign of life and waits for the answers, at most `mostMs`. */
  async ask(mostMs: number): Promise<void> {
    const askedAt = performance.now()
    this.session.probe(askedAt)
    this.pump.flush()
    while (performance.now() - askedAt < mostMs) {
      if (this.session.carriers.every(({ lastReadAt }) => lastReadAt > askedAt)) return
      // oxlint-disable-next-line no-await-in-loop -- until the last has answered
      await setTimeoutPromise(ASK_LOOK_MS)
    }
  }
}

/** Loopback is always there, and `networkInterfaces` names but one address of it. */
function isPresent({ family, address }: Endpoint, present: ReadonlySet<string>): boolean {
  return family === 0 || present.has(address) || address === '::1' || address.startsWith('127.')
}
