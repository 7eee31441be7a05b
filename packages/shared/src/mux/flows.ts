import { FLAG_ACCEPTED, FLAG_CLOSED } from '../wire/frame.ts'
import { MAX_DATAGRAM_BYTES } from '../wire/limits.ts'
import type { CarrierEnd } from './carrier.ts'
import type { Core } from './core.ts'

/** Flows that one session may hold. promises.md, limits of UDP. */
const MAX_FLOWS = 4096
const NOTHING = new Uint8Array(0)

interface Flow {
  /** Sent along until the agent has shown that it knows the flow (edge only). */
  readonly opening: Uint8Array | undefined
  accepted: boolean
  pin: CarrierEnd | undefined
}

/** The datagram flows of a session. Nothing is queued for long, nothing is sent twice. Spec: protocol.md §9. */
export class Flows {
  dropped = 0
  readonly #flows = new Map<number, Flow>()
  readonly #core: Core
  #nextId = 1

  constructor(core: Core) {
    this.#core = core
  }

  /** Edge: a new flow; 0 if there are too many. */
  open(opening: Uint8Array): number {
    if (this.#flows.size >= MAX_FLOWS) return 0
    const id = this.#nextId++
    this.#flows.set(id, { opening, accepted: false, pin: undefined })
    return id
  }

  close(id: number): void {
    if (!this.#flows.has(id)) return
    this.#send(id, FLAG_CLOSED, undefined, NOTHING)
    this.#flows.delete(id)
  }

  /** False when it was dropped. */
  send(id: number, bytes: Uint8Array): boolean {
    const flow = this.#flows.get(id)
    const fits = flow !== undefined && bytes.length <= MAX_DATAGRAM_BYTES
    return this.#count(fits && this.#send(id, 0, flow.accepted ? undefined : flow.opening, bytes))
  }

  /** A datagram has come. */
  received(id: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): void {
    if (this.#core.side === 'edge') this.#atEdge(id, flags, bytes)
    else this.#atAgent(id, flags, opening, bytes)
  }

  #atEdge(id: number, flags: number, bytes: Uint8Array): void {
    const flow = this.#flows.get(id)
    if (flow === undefined) {
      this.#count(false)
      return
    }
    flow.accepted = (flags & FLAG_CLOSED) === 0
    if ((flags & (FLAG_CLOSED | FLAG_ACCEPTED)) === 0 || bytes.length > 0)
      this.#core.emit({ type: 'datagram', flow: id, opening: undefined, bytes })
  }

  #atAgent(id: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): void {
    if ((flags & FLAG_CLOSED) !== 0) {
      if (this.#flows.delete(id)) this.#core.emit({ type: 'flowClosed', flow: id })
      return
    }
    if (!this.#flows.has(id)) {
      if (opening === undefined || this.#flows.size >= MAX_FLOWS) {
        this.#count(false)
        this.#send(id, FLAG_CLOSED, undefined, NOTHING)
        return
      }
      this.#flows.set(id, { opening: undefined, accepted: true, pin: undefined })
      this.#send(id, FLAG_ACCEPTED, undefined, NOTHING)
    }
    this.#core.emit({ type: 'datagram', flow: id, opening, bytes })
  }

  /** A flow stays on its carrier while that is there. protocol.md [U3] */
  #send(id: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): boolean {
    const flow = this.#flows.get(id)
    const { carriers } = this.#core
    const pinned = flow?.pin !== undefined && carriers.get(flow.pin.number) === flow.pin ? flow.pin : undefined
    const carrier = pinned ?? this.#core.best()
    if (flow !== undefined) flow.pin = carrier
    if (carrier === undefined || !carrier.queueDatagram({ flow: id, flags, opening, bytes })) return false
    this.#core.onWork?.()
    return true
  }

  #count(kept: boolean): boolean {
    if (!kept) this.dropped++
    return kept
  }
}
