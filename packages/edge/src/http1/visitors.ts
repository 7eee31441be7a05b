import type { Socket } from 'node:net'
import type { VisitorLimits } from '../guard/limits.ts'
import type { Conversation } from '../listen/conversation.ts'
import { VisitorConnection } from './visitor-connection.ts'

export interface VisitorsOptions {
  readonly limits: VisitorLimits
  readonly draining: () => boolean
  /** Takes a connection that is not for a strict reader: what was read has been unshifted. */
  readonly handOver: (socket: Socket) => void
}

/** The visitors' connections that a strict reader reads, until it meets something that another has to read. */
export class Visitors {
  readonly #options: VisitorsOptions
  readonly #connections = new Set<VisitorConnection>()
  readonly #timer: NodeJS.Timeout

  constructor(options: VisitorsOptions) {
    this.#options = options
    // One look at all of them costs less than a timer for each request.
    this.#timer = setInterval(() => this.#look(), Math.min(1000, options.limits.requestHeadMs)).unref()
  }

  take(socket: Socket, conversation: Conversation): void {
    const { limits, draining, handOver } = this.#options
    const connection: VisitorConnection = new VisitorConnection({
      socket,
      conversation,
      limits,
      draining,
      handOver: (headDueAt) => {
        conversation.expectHead(headDueAt - performance.now())
        handOver(socket)
        socket.resume()
      },
      left: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
  }

  /** Those that are idle end. */
  drain(): void {
    for (const connection of this.#connections) connection.drain()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    for (const connection of this.#connections) connection.look(now)
  }
}
