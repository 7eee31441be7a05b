import { BodyRate } from '../guard/body-rate.ts'
import type { VisitorLimits } from '../guard/limits.ts'
import type { Link } from '../tunnel/tunnel.ts'
import { type Asked, isGrpc } from './asked.ts'
import { Countdown } from './countdown.ts'
import { type Pausable, Pauses } from './pauses.ts'

/** Told of what took too long. */
export interface DeadlineEvents {
  /** The service has not begun its answer. */
  timedOut(): void
  /** The visitor's body trickles, or nothing has moved. */
  stalled(): void
}

/** The time limits of one request. They stand still while its agent's session has no carrier. */
export class Deadlines {
  readonly #asked: Asked
  readonly #events: DeadlineEvents
  readonly #limits: VisitorLimits
  readonly #silence: Countdown
  /** The same, where it counts for the service that was asked. */
  #counted: Countdown | undefined
  readonly #idle: Countdown | undefined
  readonly #pauses: Pauses
  #rate: BodyRate | undefined

  constructor(asked: Asked, limits: VisitorLimits, events: DeadlineEvents) {
    this.#asked = asked
    this.#limits = limits
    this.#events = events
    this.#pauses = asked.pauses ?? new Pauses()
    this.#silence = asked.silence ?? new Countdown(limits.responseHeadMs, () => events.timedOut())
    if (asked.idleMs !== undefined && !isGrpc(asked.request))
      this.#idle = new Countdown(asked.idleMs, () => events.stalled())
  }

  /** A service was asked over `link`, of whose pauses `listener` is told. `patient`: it may be silent for as long as its visitor lets it. */
  begin(link: Link, listener: Pausable, patient: boolean): void {
    this.#counted = patient ? undefined : this.#silence
    this.#pauses.follow(link, listener)
    this.#counted?.restart()
    this.#idle?.restart()
    if (link.paused) this.stand()
  }

  /** Over HTTP/1.1, a body goes to the service. `willing`: we would read it. */
  pour(willing: () => boolean): void {
    if (this.#asked.idleMs !== undefined) return
    this.#rate = new BodyRate(this.#limits, { willing, tooSlow: () => this.#events.stalled() })
  }

  /** Bytes of the body have come. A long upload is no silence of the service. */
  poured(bytes: number): void {
    this.#rate?.received(bytes)
    if (!this.#asked.response.headersSent) this.#counted?.restart()
  }

  /** All of the body has come, or is wanted no more. */
  settle(): void {
    this.#rate?.stop()
  }

  /** Something has gone one way or the other. */
  moved(): void {
    this.#idle?.restart()
  }

  /** The service has answered, or another is asked. */
  heard(): void {
    this.#silence.stop()
  }

  /** Time stands still. */
  stand(): void {
    this.#counted?.pause()
    this.#idle?.pause()
  }

  goOn(): void {
    this.#counted?.resume()
    this.#idle?.resume()
  }

  /** What goes on is a connection of another protocol. */
  leave(): void {
    this.#silence.stop()
    this.#idle?.stop()
  }

  /** The request is over. */
  end(): void {
    this.leave()
    this.#rate?.stop()
    if (this.#asked.pauses === undefined) this.#pauses.dispose()
    else this.#pauses.rest()
  }
}
