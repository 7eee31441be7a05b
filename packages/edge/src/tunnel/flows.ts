import { EngawaError } from '@engawa/shared/errors'
import type { Session } from '@engawa/shared/mux/session'
import { encodeOpening, type Opening } from '@engawa/shared/wire/opening'
import type { Flow, FlowHandler } from './tunnel.ts'

/** The edge's flows of one session: whose datagrams come back by which number. protocol.md §9 */
export class LinkFlows {
  readonly #session: Session
  readonly #handlers = new Map<number, FlowHandler>()

  constructor(session: Session) {
    this.#session = session
  }

  /** Throws SESSION_FULL. */
  open(opening: Opening, handler: FlowHandler): Flow {
    const session = this.#session
    const id = session.ended ? 0 : session.openFlow(encodeOpening(opening))
    if (id === 0) throw new EngawaError('SESSION_FULL', 'the session has as many flows as it may')
    this.#handlers.set(id, handler)
    return {
      send: (bytes) => session.sendDatagram(id, bytes),
      close: () => {
        this.#handlers.delete(id)
        session.closeFlow(id)
      },
    }
  }

  received(id: number, bytes: Uint8Array): void {
    this.#handlers.get(id)?.datagram(bytes)
  }

  /** The session is over. */
  end(): void {
    const handlers = [...this.#handlers.values()]
    this.#handlers.clear()
    for (const handler of handlers) handler.ended()
  }
}
