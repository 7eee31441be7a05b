import type { Carrier } from '../../src/carrier/carrier.ts'
import { Pump, type PumpHandler } from '../../src/carrier/pump.ts'
import type { Stream } from '../../src/mux/events.ts'
import { Session } from '../../src/mux/session.ts'
import { NOWHERE } from '../../src/wire/opening.ts'

const nothing = (): void => undefined

/** One end of a carrier, in memory: what is sent is the peer's at the end of the loop turn. */
export class MemoryCarrier implements Carrier {
  readonly remote = NOWHERE
  readonly local = NOWHERE
  onDrained: () => void = nothing
  onClosed: (error?: Error) => void = nothing
  peer: MemoryCarrier | undefined
  #onBytes: ((bytes: Uint8Array) => void) | undefined
  #held: Uint8Array[] = []
  #closed = false

  get backlogBytes(): number {
    return 0
  }
  get onBytes(): (bytes: Uint8Array) => void {
    return this.#onBytes ?? nothing
  }
  set onBytes(take: (bytes: Uint8Array) => void) {
    this.#onBytes = take
    const held = this.#held
    this.#held = []
    for (const bytes of held) take(bytes)
  }
  send(buffers: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(buffers)
    setImmediate(() => this.peer?.arrive(bytes))
  }
  close(): void {
    setImmediate(() => this.destroy())
  }
  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    setImmediate(() => {
      this.onClosed()
      this.peer?.destroy()
    })
  }
  arrive(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#onBytes === undefined) this.#held.push(bytes)
    else {
      // As a socket's reader does: what is kept of it later becomes something else. Of a Buffer `slice` is a view, too.
      const lent = Buffer.from(bytes)
      this.#onBytes(lent)
      lent.fill(0xee)
    }
  }
}

/** Two carriers, each the other's end, in memory. */
export function memoryCarriers(): [Carrier, Carrier] {
  const a = new MemoryCarrier()
  const b = new MemoryCarrier()
  a.peer = b
  b.peer = a
  return [a, b]
}

/** What a pump told, by name, with whatever the test wants to hear handled by itself. */
export function listener(told: string[], heard: Partial<PumpHandler> = {}): PumpHandler {
  const note = (text: string): void => void told.push(text)
  return {
    opened: (stream) => note(`opened ${stream.id}`),
    message: (json) => note(`message ${json}`),
    datagram: (flow) => note(`datagram ${flow}`),
    flowClosed: (flow) => note(`flowClosed ${flow}`),
    carrierLost: (carrier, left, why) => note(`carrierLost ${carrier} ${left} ${why}`),
    carrierSuspect: (carrier) => note(`carrierSuspect ${carrier}`),
    carrierTrusted: (carrier) => note(`carrierTrusted ${carrier}`),
    away: () => note('away'),
    resumed: (_, streams) => note(`resumed ${streams}`),
    closed: (code, _, byPeer) => note(`closed ${code} ${byPeer}`),
    failed: (error) => note(`failed ${String(error)}`),
    ...heard,
  }
}

export interface Linked {
  readonly edge: Pump
  readonly agent: Pump
  readonly told: { readonly edge: string[]; readonly agent: string[] }
  /** A stream, both ends, the agent's as soon as its OPEN has come. */
  readonly open: () => Promise<[edge: Stream, agent: Stream]>
}

/** An edge's and an agent's session on one carrier in memory. */
export function linked(heard: { edge?: Partial<PumpHandler>; agent?: Partial<PumpHandler> } = {}): Linked {
  const told = { edge: [] as string[], agent: [] as string[] }
  const waiting: ((stream: Stream) => void)[] = []
  const now = performance.now()
  const agent = new Pump(
    new Session({ side: 'agent', maxStreams: 100 }, now),
    listener(told.agent, { opened: (stream) => waiting.shift()?.(stream), ...heard.agent }),
  )
  const edge = new Pump(new Session({ side: 'edge', maxStreams: 100 }, now), listener(told.edge, heard.edge))
  const [a, b] = memoryCarriers()
  agent.session.nextCarrier()
  edge.attach(1, a)
  agent.attach(1, b)
  const open = (): Promise<[Stream, Stream]> => {
    const mine = edge.session.open(new Uint8Array(46))
    mine.handler = ignoring
    return new Promise((resolve) => {
      waiting.push((theirs) => {
        theirs.handler = ignoring
        resolve([mine, theirs])
      })
    })
  }
  return { edge, agent, told, open }
}

const ignoring = { data: nothing, end: nothing, reset: nothing, drain: nothing }
