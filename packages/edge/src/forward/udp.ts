import { codeOf } from '@engawa/shared/errors'
import { type Endpoint, endpoint } from '@engawa/shared/wire/opening'
import type { Admission } from '../admit.ts'
import { FlowDoor, type FlowPass } from '../guard/flow-door.ts'
import type { Flow, Link, Tunnel } from '../tunnel/tunnel.ts'
import type { FlowTable } from './flow-table.ts'

/** Between two looks for idle flows, at most, milliseconds. */
const LOOK_MS = 5000

/** A bound socket, as flows see it. */
export interface DatagramSocket {
  readonly local: Endpoint
  /** `bytes` are copied; `sent` hears the system's error where they could not go out. */
  send(bytes: Uint8Array, to: Endpoint, sent: (error: Error | null) => void): void
  /** Its visitors, by address and port. */
  readonly flows: FlowTable<VisitorFlow>
}

/** What one visitor's address and port sends to one of ours, and what comes back. */
export class VisitorFlow {
  lastAt: number = performance.now()
  #answered = false
  #assured = false
  readonly #parts: FlowParts
  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#parts.tunnel.traffic.dropped++
  }
  #flow: Flow | undefined

  /** Throws SESSION_FULL. */
  constructor(parts: FlowParts, link: Link, opening: Parameters<Link['openFlow']>[0]) {
    this.#parts = parts
    this.#flow = link.openFlow(opening, {
      datagram: (bytes) => this.#answer(bytes),
      ended: () => this.close(),
    })
    parts.tunnel.traffic.total++
    parts.tunnel.traffic.open++
  }

  get tunnel(): Tunnel {
    return this.#parts.tunnel
  }

  get client(): string {
    return this.#parts.visitor.address
  }

  /** From the visitor. */
  send(bytes: Uint8Array): void {
    const { tunnel, pass } = this.#parts
    this.lastAt = performance.now()
    if (this.#answered && !this.#assured) {
      this.#assured = true
      pass.assure()
    }
    if (this.#flow?.send(bytes) === true) tunnel.traffic.received += bytes.length
    else tunnel.traffic.dropped++
  }

  close(): void {
    if (this.#flow === undefined) return
    const { tunnel, pass, socket, from } = this.#parts
    this.#flow.close()
    this.#flow = undefined
    socket.flows.delete(from.address, from.port)
    tunnel.traffic.open--
    pass.leave()
  }

  #answer(bytes: Uint8Array): void {
    const { tunnel, socket, visitor } = this.#parts
    this.lastAt = performance.now()
    this.#answered = true
    tunnel.traffic.sent += bytes.length
    socket.send(bytes, visitor, this.#sent)
  }
}

interface FlowParts {
  readonly tunnel: Tunnel
  readonly pass: FlowPass
  readonly socket: DatagramSocket
  readonly visitor: Endpoint
  /** The same as the system writes it. */
  readonly from: Readonly<{ address: string; port: number }>
}

/** Carries visitors' datagrams: one flow for each address and port they come from. protocol.md §9 */
export class UdpForward {
  readonly #admission: Admission
  readonly #door: FlowDoor
  readonly #sockets = new Set<DatagramSocket>()
  readonly #timer: NodeJS.Timeout

  constructor(admission: Admission) {
    const { limits } = admission.settings
    this.#admission = admission
    this.#door = new FlowDoor(limits)
    admission.table.onRules((tunnel) => this.#enforce(tunnel))
    this.#timer = setInterval(() => this.#closeIdle(), Math.min(LOOK_MS, limits.udp.idleMs / 4)).unref()
  }

  add(socket: DatagramSocket): void {
    this.#sockets.add(socket)
  }

  /** Its flows end. */
  remove(socket: DatagramSocket): void {
    this.#sockets.delete(socket)
    for (const flow of socket.flows.values()) flow.close()
  }

  close(): void {
    clearInterval(this.#timer)
    for (const socket of this.#sockets) this.remove(socket)
  }

  /** `bytes` belong to the callee. */
  received(socket: DatagramSocket, bytes: Uint8Array, from: Readonly<{ address: string; port: number }>): void {
    // From port 0 nobody waits for an answer (RFC 768), and none can be sent there: it is forged.
    if (from.port === 0) return this.#admission.refused('udp', 'REQUEST_INVALID')
    const flow = socket.flows.get(from.address, from.port) ?? this.#open(socket, from)
    flow?.send(bytes)
  }

  #open(socket: DatagramSocket, from: Readonly<{ address: string; port: number }>): VisitorFlow | undefined {
    const visitor = endpoint(from.address, from.port)
    const { local } = socket
    const { port } = local
    const { log, table } = this.#admission
    let pass: FlowPass | undefined
    try {
      const who = {
        peer: visitor,
        client: visitor.address,
        local,
        secure: false,
        serverName: undefined,
        ownPort: false,
      }
      const tunnel = this.#admission.find(who, { protocol: 'udp', port })
      const { live } = tunnel
      // Given up for another: as if it had come too late.
      pass =
        live &&
        this.#door.enter(visitor.address, () => {
          this.#admission.refused('udp', 'TOO_MANY')
          flow?.close()
        })
      if (live === undefined || pass === undefined) {
        this.#admission.refused('udp', live === undefined ? 'AGENT_AWAY' : 'TOO_MANY')
        tunnel.traffic.dropped++
        return undefined
      }
      const portIndex = port - (tunnel.ports?.[0] ?? port)
      const opening = { service: live.service, portIndex, protocol: 'udp', visitor, public: local } as const
      const flow: VisitorFlow = new VisitorFlow({ tunnel, pass, socket, visitor, from }, live.link, opening)
      socket.flows.set(from.address, from.port, flow)
      return flow
    } catch (error) {
      pass?.leave()
      const refused = table.byPort('udp', port)
      if (refused !== undefined) refused.traffic.dropped++
      const code = codeOf(error)
      this.#admission.refused('udp', code)
      if (code === 'INTERNAL') log.error({ err: error, port }, 'flow failed')
      else log.debug({ code, port, visitor: visitor.address }, 'flow refused')
      return undefined
    }
  }

  #enforce(tunnel: Tunnel): void {
    for (const { flows } of this.#sockets) {
      for (const flow of flows.values()) {
        if (flow.tunnel === tunnel && tunnel.rules?.admits(flow.client) === false) flow.close()
      }
    }
  }

  #closeIdle(): void {
    const before = performance.now() - this.#admission.settings.limits.udp.idleMs
    for (const { flows } of this.#sockets) {
      for (const flow of flows.values()) if (flow.lastAt <= before) flow.close()
    }
  }
}
