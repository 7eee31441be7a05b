import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type EdgeFlags, edgeSettings } from '@engawa/edge/config'
import { Gatekeeper, type GatekeeperOptions } from '@engawa/edge/identity/gatekeeper'
import type { Grant } from '@engawa/edge/identity/grant'
import { invite } from '@engawa/edge/identity/invitations'
import { openStore, type Store } from '@engawa/edge/store/store'
import type { Face } from '@engawa/edge/tunnel/face'
import type { Probe } from '@engawa/edge/tunnel/probe'
import { Registry } from '@engawa/edge/tunnel/registry'
import type { PortChange } from '@engawa/edge/tunnel/tunnel'
import type { Carrier } from '@engawa/shared/carrier/carrier'
import { Pump } from '@engawa/shared/carrier/pump'
import { decodeJoin } from '@engawa/shared/join'
import type { Stream } from '@engawa/shared/mux/events'
import { Session } from '@engawa/shared/mux/session'
import { type AgentMessage, type EdgeMessage, parseEdgeMessage } from '@engawa/shared/wire/control'
import { endpoint } from '@engawa/shared/wire/opening'
import type { Test } from 'tap'
import { ManualClock, turns } from './manual-clock.ts'
import { memoryCarriers } from './memory-carrier.ts'

const HOUR_MS = 3_600_000
/** Above the numbers that tests give. */
const QUESTIONS = 1_000_000
const IGNORE = { data: () => {}, end: () => {}, reset: () => {}, drain: () => {} }

export const FACE: Face = {
  domain: 'example.com',
  http: 80,
  https: { port: 443, serves: () => true, trusted: () => true, awaited: () => false },
  host: 'example.com',
  portPerHttp: false,
  ownPorts: [80, 443, 7400],
}

export interface Gate {
  readonly clock: ManualClock
  readonly store: Store
  readonly registry: Registry
  readonly keeper: Gatekeeper
  /** Events, as `online home`, `open blog`. */
  readonly told: string[]
  /** Port changes, as `+22`, `-20000-20010`. */
  readonly ports: string[]
  /** A new agent that has joined; not logged in. */
  readonly agent: (name: string, grant?: Grant) => FakeAgent
}

export interface GateOptions {
  readonly folder?: string
  readonly flags?: EdgeFlags
  /** Text of edge.yaml. */
  readonly config?: string
  readonly face?: Partial<Face>
  readonly probe?: Probe
  readonly clock?: ManualClock
  readonly others?: GatekeeperOptions['others']
}

/** The edge's state, registry and gatekeeper, with nothing that listens. */
export function gate(t: Test, options: GateOptions = {}): Gate {
  const { folder = t.testdir({}), clock = new ManualClock(), face, probe = async () => undefined } = options
  const settings = edgeSettings({
    flags: { domain: 'example.com', ...options.flags },
    file: { path: 'edge.yaml', text: options.config ?? '' },
    language: 'en',
    mayBindLow: true,
  })
  const store = openStore(join(folder, 'edge.db'))
  const told: string[] = []
  const ports: string[] = []
  const registry = new Registry({
    store,
    settings,
    protocols: new Set(['http', 'tcp', 'tls', 'udp']),
    clock,
    probe,
    opened: ({ name }) => told.push(`open ${name}`),
    closed: ({ name }) => told.push(`closed ${name}`),
  })
  registry.show({ ...FACE, ...face })
  registry.onPorts(({ tunnel, listen }: PortChange) => ports.push(`${listen ? '+' : '-'}${tunnel.ports?.join('-')}`))
  const keeper = new Gatekeeper({
    store,
    ca: { certificate: 'PEM', pin: new Uint8Array(32).fill(7) },
    registry,
    generation: 1,
    software: 'edge',
    graceMs: settings.graceMs,
    limits: settings.limits.perAgent,
    addresses: () => ['example.com:443'],
    clock,
    ...(options.others && { others: options.others }),
    observer: {
      online: ({ agent }) => told.push(`online ${agent}`),
      offline: ({ agent }, code) => told.push(`offline ${agent} ${code}`),
      resumed: ({ agent }) => told.push(`resumed ${agent}`),
      carrierLost: () => {},
      refused: () => {},
      failed: (agent, error) => told.push(`failed ${agent} ${String(error)}`),
    },
  })
  t.teardown(() => {
    keeper.close('SESSION_CLOSED', 'the test is over')
    registry.close()
    store.close()
  })
  return {
    clock,
    store,
    registry,
    keeper,
    told,
    ports,
    agent: (name, grant) => {
      const { line } = invite(store, {
        name,
        expiresMs: HOUR_MS,
        grant,
        addresses: ['example.com:443'],
        pin: new Uint8Array(32),
        now: Date.now(),
      })
      const agent = new FakeAgent({ keeper, clock })
      agent.join(line)
      return agent
    },
  }
}

/** An agent's side: its key, and a session over carriers in memory. What the handshake checks has been checked. */
export class FakeAgent {
  readonly key: string = randomBytes(32).toString('base64url')
  instance: string = randomBytes(16).toString('base64url')
  address = '203.0.113.7'
  yields = false
  session = ''
  pump: Pump | undefined
  readonly messages: EdgeMessage[] = []
  readonly streams: Stream[] = []
  /** `code reason` of the session's end. */
  ended: string | undefined
  readonly #keeper: Gatekeeper
  readonly #clock: ManualClock
  #carrier: Carrier | undefined
  #number = 0
  #lastQuestion = QUESTIONS
  #answered = QUESTIONS

  constructor({ keeper, clock }: { keeper: Gatekeeper; clock: ManualClock }) {
    this.#keeper = keeper
    this.#clock = clock
  }

  join(line: string): void {
    const secret = Buffer.from(decodeJoin(line).secret).toString('base64url')
    this.#keeper.join({ secret, key: this.key, software: 'test' }, endpoint(this.address, 1))
  }

  /** A new session on its first carrier. */
  async login(): Promise<this> {
    const remote = endpoint(this.address, 1)
    const admission = await this.#keeper.login(
      {
        key: this.key,
        instance: this.instance,
        maxStreams: 100,
        credit: 16_384,
        software: 'test',
        yields: this.yields,
      },
      remote,
    )
    this.session = admission.welcome.session
    this.ended = undefined
    const [mine, theirs] = memoryCarriers(remote)
    admission.start(mine)
    const session = new Session({ side: 'agent', maxStreams: 100 }, this.#clock.now())
    this.pump = new Pump(
      session,
      {
        opened: (stream) => {
          stream.handler = IGNORE
          this.streams.push(stream)
        },
        message: (json) => this.#heard(parseEdgeMessage(json)),
        datagram: () => {},
        flowClosed: () => {},
        carrierLost: () => {},
        carrierSuspect: () => {},
        carrierTrusted: () => {},
        away: () => {},
        resumed: () => {},
        closed: (code, reason) => {
          this.ended = `${code} ${reason}`
        },
        failed: (error) => {
          throw error
        },
      },
      this.#clock,
    )
    this.#number = session.nextCarrier()
    this.pump.attach(this.#number, theirs)
    this.#carrier = theirs
    await turns()
    return this
  }

  /** A further carrier of the same session. */
  async attach(): Promise<void> {
    const session = this.#demand().session
    const number = session.nextCarrier()
    const body = { session: this.session, carrier: number, lost: session.lostReport(number), proof: '' }
    const admission = this.#keeper.attach(body)
    const [mine, theirs] = memoryCarriers(endpoint(this.address, 2))
    admission.start(mine)
    session.applyLost(admission.welcome.lost, this.#clock.now())
    this.#demand().attach(number, theirs)
    this.#carrier = theirs
    await turns()
  }

  /** The newest carrier breaks. */
  async cut(): Promise<void> {
    this.#carrier?.destroy()
    await turns()
  }

  /** Resolves once the edge has dealt with it; for a bind, which may take its time, once it is under way. */
  async send(message: AgentMessage): Promise<void> {
    this.#say(message)
    if (message.type !== 'bind') await this.#dealtWith()
    await turns()
  }

  #say(message: AgentMessage): void {
    this.#demand().session.sendMessage(Buffer.from(JSON.stringify(message)))
  }

  /** The edge takes messages in their order, and makes an agent wait for its turn on a slow machine. */
  async #dealtWith(): Promise<void> {
    const id = ++this.#lastQuestion
    this.#say({ type: 'release', id, name: 'nothing-of-this-name' })
    while (this.#answered < id && this.ended === undefined) await turns(1)
  }

  #heard(message: EdgeMessage): void {
    if (message.type === 'failed' && message.id > QUESTIONS) this.#answered = message.id
    else this.messages.push(message)
  }

  /** What the edge answers to a bind: `bound` or `refused`. */
  async bind(bind: Partial<Extract<AgentMessage, { type: 'bind' }>> & { name: string }): Promise<EdgeMessage> {
    const service = bind.service ?? 1
    this.messages.length = 0
    await this.send({ type: 'bind', service, protocol: 'http', target: '8080', ...bind })
    for (;;) {
      const answer = this.messages.find(({ type }) => type === 'bound' || type === 'refused')
      if (answer !== undefined) return answer
      await turns(1)
    }
  }

  #demand(): Pump {
    if (this.pump === undefined) throw new Error('not logged in')
    return this.pump
  }
}
