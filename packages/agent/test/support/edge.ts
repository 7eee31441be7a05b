import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import { CarrierDoor, type Gatekeeper } from '@engawa/shared/carrier/handshake-edge'
import { Pump } from '@engawa/shared/carrier/pump'
import { type Code, EngawaError } from '@engawa/shared/errors'
import { encodeJoin } from '@engawa/shared/join'
import type { Stream } from '@engawa/shared/mux/events'
import { Session } from '@engawa/shared/mux/session'
import { type AgentMessage, type Bind, type EdgeMessage, parseAgentMessage } from '@engawa/shared/wire/control'
import { encodeOpening, NOWHERE } from '@engawa/shared/wire/opening'
import type { Test } from 'tap'
import { makeTestEdge } from './certificate.ts'

function nothing(): void {}

interface Held {
  readonly id: string
  readonly key: string
  readonly secret: Buffer
  readonly pump: Pump
}

/** As much of an edge as an agent can notice: the real handshake and session, and answers that a test chooses. */
export class SmallEdge extends EventEmitter<{
  session: [Held]
  message: [AgentMessage]
  carrier: [number]
  closed: [Code]
  login: []
}> {
  readonly certificate = makeTestEdge()
  readonly identity = createHash('sha256').update(this.certificate.caPublicKey).digest()
  readonly secret = randomBytes(32)
  readonly sockets = new Set<Socket>()
  readonly messages: AgentMessage[] = []
  held: Held | undefined
  logins = 0
  attaches = 0
  /** What the logins said of `yields`, also those that were refused. */
  readonly yields: boolean[] = []
  /** Thrown at whoever asks. */
  refuses: Partial<Record<'join' | 'login' | 'attach', Code>> = {}
  /** What it says of refusals, and how it calls who joins. */
  refusal: string | undefined
  agent = 'home'
  answer: (bind: Bind) => EdgeMessage = (bind) => ({
    type: 'bound',
    service: bind.service,
    name: bind.name,
    public: bind.protocol === 'http' ? `http://${bind.name}.localhost:1` : 'localhost:1',
    urls: [],
  })
  port = 0
  /** What agents are told to dial, where that is not the edge itself. */
  toldPort: number | undefined
  /** What `joined` names instead, whole. */
  told: readonly string[] | undefined

  /** Also those of agents that were killed: they wait for their grace. */
  readonly #pumps = new Set<Pump>()
  readonly #door = new CarrierDoor({ gatekeeper: this.#gatekeeper(), tls: this.certificate })
  readonly #server = createServer((socket) => {
    this.sockets.add(socket)
    socket.once('close', () => this.sockets.delete(socket)).on('error', () => {})
    this.#door.accept(socket, () => {})
  })

  static async start(t: Test): Promise<SmallEdge> {
    const edge = new SmallEdge()
    await edge.listen(0)
    t.teardown(() => edge.stop())
    return edge
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  get joinLine(): string {
    return encodeJoin({ addresses: [`127.0.0.1:${this.port}`], secret: this.secret, pin: this.identity })
  }

  /** A visitor's stream to a service of the agent. */
  open(service: number, portIndex = 0): Stream {
    const opening = encodeOpening({ service, portIndex, protocol: 'tcp', visitor: NOWHERE, public: NOWHERE })
    return (this.held as Held).pump.session.open(opening)
  }

  say(message: EdgeMessage): void {
    const pump = (this.held as Held).pump
    pump.session.sendMessage(Buffer.from(JSON.stringify(message)))
    pump.flush()
  }

  /** Cuts every carrier by RST. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  /** As kill -9 would: sockets and everything remembered are gone. */
  async die(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const pump of this.#pumps) pump.end('SESSION_CLOSED')
    this.#pumps.clear()
    this.held = undefined
    this.cut()
    await closed
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.die()
    for (const pump of this.#pumps) pump.end('SESSION_CLOSED')
  }

  #gatekeeper(): Gatekeeper {
    const check = (asked: 'join' | 'login' | 'attach'): void => {
      const code = this.refuses[asked]
      if (code !== undefined) throw new EngawaError(code, this.refusal ?? `no ${asked}`)
    }
    return {
      edge: this.identity,
      generation: 1,
      software: 'small-edge',
      credentials: (session) => (this.held?.id === session ? this.held : undefined),
      join: (body) => {
        check('join')
        if (body.secret !== this.secret.toString('base64url')) throw new EngawaError('INVITATION_UNKNOWN', 'unknown')
        const edge = this.identity.toString('base64url')
        return {
          agent: this.agent,
          edge,
          addresses: this.told ?? [`127.0.0.1:${this.toldPort ?? this.port}`],
          ca: this.certificate.ca,
        }
      },
      login: (body) => {
        this.yields.push(body.yields === true)
        this.emit('login')
        check('login')
        this.logins++
        const id = randomBytes(16).toString('base64url')
        const secret = randomBytes(32)
        const session = new Session({ side: 'edge', maxStreams: 100, peerCredit: body.credit }, performance.now())
        const held: Held = { id, key: body.key, secret, pump: this.#pump(session) }
        this.held = held
        this.#pumps.add(held.pump)
        return {
          welcome: { ...this.#welcome(id, 1), secret: secret.toString('base64url') },
          start: (carrier) => this.#begin(held, 1, carrier),
        }
      },
      attach: (body) => {
        check('attach')
        this.attaches++
        const held = this.held as Held
        held.pump.session.applyLost(body.lost, performance.now())
        const lost = held.pump.session.lostReport(body.carrier)
        return {
          welcome: { ...this.#welcome(held.id, body.carrier), lost },
          start: (carrier) => this.#begin(held, body.carrier, carrier),
        }
      },
    }
  }

  #welcome(session: string, carrier: number) {
    return {
      agent: 'home',
      session,
      carrier,
      generation: 1,
      graceMs: 120_000,
      maxStreams: 100,
      credit: 16_384,
      lost: [],
      members: [],
    }
  }

  #begin(held: Held, number: number, carrier: Carrier): void {
    held.pump.attach(number, carrier)
    if (number === 1) this.emit('session', held)
    this.emit('carrier', number)
  }

  #pump(session: Session): Pump {
    return new Pump(session, {
      opened: nothing,
      message: (json) => {
        const message = parseAgentMessage(json)
        this.messages.push(message)
        if (message.type === 'bind') this.say(this.answer(message))
        else if (message.type === 'release' || message.type === 'leave') this.say({ type: 'done', id: message.id })
        this.emit('message', message)
      },
      datagram: nothing,
      flowClosed: nothing,
      carrierLost: nothing,
      carrierSuspect: nothing,
      carrierTrusted: nothing,
      away: nothing,
      resumed: nothing,
      closed: (code) => this.emit('closed', code),
      failed: (error) => {
        throw error
      },
    })
  }
}
