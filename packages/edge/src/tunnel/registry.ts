import { randomBytes } from 'node:crypto'
import type { Clock } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import type { Bind, Bound } from '@engawa/shared/wire/control'
import type { Protocol } from '@engawa/shared/wire/opening'
import type { EdgeSettings } from '../config.ts'
import type { Lease } from '../store/leases.ts'
import type { Store } from '../store/store.ts'
import { boundOf } from './bound.ts'
import { Claims } from './claims.ts'
import { type Addresses, addressesOf, type Face } from './face.ts'
import { claimFree } from './free-ports.ts'
import { parseHealth, watchHealth } from './health.ts'
import { baseName, Leases } from './leases.ts'
import { OpenPorts } from './open-ports.ts'
import type { Probe } from './probe.ts'
import { type AgentSession, Published } from './published.ts'
import { parseRewrite } from './rewrite.ts'
import { Routes, transportOf } from './routes.ts'
import type { Live, PortChange, Tunnel, TunnelTable } from './tunnel.ts'
import { Waiting } from './waiting.ts'

/** How long after its start the edge waits for agents that it cannot have seen yet, ms. contract.md */
const YOUNG_MS = 30_000

export interface RegistryOptions {
  readonly store: Store
  readonly settings: Pick<EdgeSettings, 'domain' | 'tcpPorts' | 'udpPorts' | 'bind' | 'graceMs' | 'limits'>
  readonly protocols: ReadonlySet<Protocol>
  readonly clock: Clock
  readonly probe: Probe
  readonly opened: (tunnel: Tunnel) => void
  readonly closed: (tunnel: Tunnel) => void
}

/** Who is published where: the leases, and the sessions behind them. */
export class Registry implements TunnelTable {
  readonly #options: RegistryOptions
  readonly #leases: Leases
  readonly #claims: Claims
  readonly #waiting: Waiting
  readonly #tunnels = new Map<string, Published>()
  readonly #routes = new Routes()
  readonly #agentNames = new Map<number, string>()
  readonly #ports: OpenPorts
  readonly #ruleListeners: ((tunnel: Tunnel) => void)[] = []
  readonly #startedAt: number
  /** Agents that have a session with the generation that has taken over. */
  readonly #moved = new Set<number>()
  #retired = false
  #face: Face

  constructor(options: RegistryOptions) {
    const { store, settings, protocols, clock } = options
    const { domain, limits } = settings
    this.#options = options
    this.#startedAt = clock.now()
    this.#face = { domain, http: 80, https: undefined, host: domain, portPerHttp: false, ownPorts: [] }
    this.#leases = new Leases(store, domain)
    this.#claims = new Claims(this.#leases, {
      domain,
      protocols,
      tcpPorts: () => settings.tcpPorts,
      udpPorts: () => settings.udpPorts,
      limits: limits.perAgent,
      ownPorts: () => this.#face.ownPorts,
      portPerHttp: () => this.#face.portPerHttp,
    })
    this.#waiting = new Waiting(limits.held, clock)
    this.#ports = new OpenPorts(clock)
    for (const lease of this.#leases.all()) {
      const tunnel = this.#add(lease)
      if (lease.published) this.#ports.openFor(tunnel, settings.graceMs)
    }
  }

  /** Says how the edge looks from outside: before agents are let in. */
  show(face: Face): void {
    this.#face = face
  }

  byHost(host: string, path: string): Tunnel | undefined {
    return this.#routes.byHost(host, path)
  }

  another(tunnel: Tunnel, tried: ReadonlySet<Tunnel>): Tunnel | undefined {
    const known = this.#tunnels.get(tunnel.name)
    return known?.balanced === true ? this.#routes.share(known, tried) : undefined
  }

  named(host: string): readonly Tunnel[] {
    return this.#routes.named(host)
  }

  bare(): Tunnel | undefined {
    const chosen = this.#routes.bare()
    if (chosen !== undefined) return chosen.balanced ? this.#routes.share(chosen) : chosen
    if (!this.#face.portPerHttp) return undefined
    return this.all().find(({ protocol }) => protocol === 'http')
  }

  byPort(protocol: 'tcp' | 'udp', port: number): Tunnel | undefined {
    return this.#routes.byPort(protocol, port)
  }

  all(): readonly Published[] {
    return [...this.#tunnels.values()]
  }

  async whenLive(tunnel: Tunnel, waiting: { bytes?: number; signal?: AbortSignal } = {}): Promise<Live> {
    if (tunnel.live !== undefined) return tunnel.live
    const now = this.#options.clock.now()
    const wasThere = tunnel.lastLiveAt > 0 && now - tunnel.lastLiveAt < this.#options.settings.graceMs
    const young = now - this.#startedAt < YOUNG_MS
    if (this.#tunnels.get(tunnel.name) !== tunnel || !(wasThere || young)) throw new EngawaError('AGENT_AWAY')
    return this.#waiting.wait(tunnel, waiting)
  }

  onPorts(listener: (change: PortChange) => unknown): void {
    this.#ports.hear(listener)
  }

  onRules(listener: (tunnel: Tunnel) => void): void {
    this.#ruleListeners.push(listener)
  }

  /** Publishes one service of a session. Throws the codes of bindings; nothing has changed then. */
  async bind(session: AgentSession, bind: Bind): Promise<Bound> {
    const rewrite = parseRewrite(bind)
    const health = parseHealth(bind)
    const lease = await this.#claim(session, bind)
    // Ports take a while to be tried: meanwhile its agent may have been revoked or have logged in anew.
    demand(!session.ended)
    const former = this.#tunnels.get(lease.name)
    if (former?.session === session && former.service !== bind.service) {
      throw new EngawaError('NAME_TAKEN', `the name ${lease.name} is in use for this agent’s target ${former.target}`)
    }
    const replaced = this.#serving(session, bind.service)
    if (replaced !== undefined && replaced.name !== lease.name) this.#takeOff(replaced)
    if (lease.bare) this.#moveBare(lease)
    this.#leases.keep(lease)
    const tunnel = this.#settle(former, lease)
    const wasOpen = tunnel.session === session
    tunnel.session = session
    tunnel.service = bind.service
    Object.assign(tunnel, rewrite)
    tunnel.check = randomBytes(16).toString('base64url')
    tunnel.unwatch?.()
    tunnel.well = true
    tunnel.unwatch = health && watchHealth(tunnel, health, this.#options.clock)
    await this.#ports.open(tunnel)
    demand(tunnel.session === session)
    this.#touch(tunnel)
    if (!wasOpen) this.#options.opened(tunnel)
    const bound = this.#boundOf(tunnel)
    // HTTPS of its names was the edge's until now: plain HTTP of them may be told otherwise.
    if (tunnel.protocol === 'tls') this.retell()
    return bound
  }

  /** Certificates have come or gone: agents are told where their tunnels are found now. protocol.md [M4] */
  retell(): void {
    for (const tunnel of this.#tunnels.values()) {
      const { session } = tunnel
      if (session !== undefined && !session.ended && tunnel.told !== tunnel.public) session.tell(this.#boundOf(tunnel))
    }
  }

  #boundOf(tunnel: Published): Bound {
    tunnel.told = tunnel.public
    return boundOf(tunnel, this.#options.settings.limits.udp.idleMs)
  }

  /** `agent rm`: off the air, the name stays its agent's. */
  unbind(session: AgentSession, service: number): void {
    const tunnel = this.#serving(session, service)
    if (tunnel !== undefined) this.#takeOff(tunnel)
  }

  /** The services that stood behind it: several where they shared it. Throws NAME_UNKNOWN. */
  release(session: AgentSession, name: string): readonly number[] {
    if (this.#retired) throw new EngawaError('EDGE_DRAINING', 'another process of this edge has taken over')
    const wanted = name.toLowerCase()
    const held = this.all().filter((it) => baseName(it.name) === wanted && it.lease.agent === session.agentId)
    if (held.length === 0) throw new EngawaError('NAME_UNKNOWN', 'this agent holds no such name')
    const services = held.flatMap((tunnel) => {
      this.#leases.release(tunnel.name)
      const service = tunnel.session === session ? [tunnel.service] : []
      this.#drop(tunnel)
      return service
    })
    return services
  }

  /** Takes up what an earlier generation has written since this one began. */
  refresh(): void {
    this.#leases.reload()
    for (const tunnel of this.all()) if (this.#leases.get(tunnel.name) === undefined) this.#drop(tunnel)
    for (const lease of this.#leases.all()) {
      const former = this.#tunnels.get(lease.name)
      if (JSON.stringify(former?.lease) === JSON.stringify(lease)) continue
      const tunnel = this.#settle(former, lease)
      if (lease.published) this.#ports.openFor(tunnel, this.#options.settings.graceMs)
    }
  }

  /** Another generation takes what is new, and writes: from now on nothing is bound here, and the store is left alone. */
  retire(): void {
    this.#retired = true
  }

  get retired(): boolean {
    return this.#retired
  }

  /** The agent has come to the generation that has taken over: what ends here is no news to anybody. */
  moved(agent: number): void {
    this.#moved.add(agent)
  }

  hasMoved(agent: number): boolean {
    return this.#retired && this.#moved.has(agent)
  }

  /** The agent is away, or back: those who wait for it go on. */
  changed(session: AgentSession): void {
    for (const tunnel of this.#tunnels.values()) if (tunnel.session === session) this.#touch(tunnel)
  }

  /** The session is over. Names stay leased; ports stay open for what is left of the grace. */
  detach(session: AgentSession, graceLeftMs: number): void {
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.session !== session) continue
      this.#unplug(tunnel)
      if (this.#ports.has(tunnel)) this.#ports.openFor(tunnel, graceLeftMs)
    }
  }

  /** The agent is revoked or has left: the store has let go of all that it held. */
  dropAgent(agent: number): void {
    for (const tunnel of this.all()) if (tunnel.lease.agent === agent) this.#drop(tunnel)
    this.#leases.forget(agent)
    this.#agentNames.delete(agent)
  }

  /** The agent is called otherwise now. */
  renamed(agent: number): void {
    this.#agentNames.delete(agent)
  }

  agentName(id: number): string {
    const known = this.#agentNames.get(id)
    if (known !== undefined) return known
    const name = this.#options.store.agents.byId(id)?.name ?? '?'
    this.#agentNames.set(id, name)
    return name
  }

  /** Stops all clocks, when the edge stops. */
  close(): void {
    this.#ports.stop()
    for (const tunnel of this.#tunnels.values()) {
      tunnel.unwatch?.()
      this.#waiting.abandon(tunnel)
    }
  }

  /** A lease whose ports no other program has. */
  #claim(session: AgentSession, bind: Bind): Promise<Lease> {
    const { store, settings, probe } = this.#options
    const agent = store.agents.byId(session.agentId)
    if (agent?.key === undefined) throw new EngawaError('NAME_NOT_ALLOWED', 'this agent is not welcome any more')
    const inUse = (name: string): boolean => {
      const tunnel = this.#tunnels.get(name)
      return tunnel?.session === session && tunnel.service !== bind.service
    }
    return claimFree({
      claim: (known) => this.#claims.claim(agent, bind, { ...known, inUse }),
      isOpen: (lease) => this.#hasOpen(lease),
      probe,
      host: settings.bind,
      exact: bind.exact === true,
    })
  }

  #hasOpen(lease: Lease): boolean {
    const tunnel = this.#tunnels.get(lease.name)
    if (tunnel === undefined || !this.#ports.has(tunnel) || transportOf(tunnel) !== transportOf(lease)) return false
    return String(tunnel.ports) === String(lease.ports)
  }

  #serving(session: AgentSession, service: number): Published | undefined {
    return this.all().find((tunnel) => tunnel.session === session && tunnel.service === service)
  }

  /** The tunnel of a lease, brought up to it; another session that had it loses it. */
  #settle(former: Published | undefined, lease: Lease): Published {
    if (former === undefined) return this.#add(lease)
    if (String(former.ports) !== String(lease.ports) || former.protocol !== lease.protocol) this.#ports.close(former)
    this.#routes.remove(former)
    const changed = JSON.stringify(former.lease.rules) !== JSON.stringify(lease.rules)
    former.lease = lease
    this.#routes.add(former)
    if (changed) for (const listener of this.#ruleListeners) listener(former)
    return former
  }

  /** Another tunnel of the same agent had the bare address until now. */
  #moveBare(lease: Lease): void {
    const former = this.#routes.bare()
    if (former === undefined || former.name === lease.name) return
    const without = { ...former.lease, bare: false }
    this.#leases.keep(without)
    this.#settle(former, without)
  }

  #takeOff(tunnel: Published): void {
    this.#ports.close(tunnel)
    this.#unplug(tunnel)
    if (this.#retired) return
    try {
      this.#leases.keep({ ...tunnel.lease, published: false })
    } catch {
      // On a full disk the port is closed all the same; only a restart would open it for the grace.
    }
  }

  #drop(tunnel: Published): void {
    this.#ports.close(tunnel)
    this.#routes.remove(tunnel)
    this.#tunnels.delete(tunnel.name)
    this.#unplug(tunnel)
    this.#waiting.abandon(tunnel)
  }

  #unplug(tunnel: Published): void {
    if (tunnel.session === undefined) return
    tunnel.unwatch?.()
    tunnel.unwatch = undefined
    if (!tunnel.session.away) tunnel.lastLiveAt = this.#options.clock.now()
    tunnel.session = undefined
    tunnel.check = undefined
    if (!this.hasMoved(tunnel.lease.agent)) this.#options.closed(tunnel)
  }

  #touch(tunnel: Published): void {
    const { live } = tunnel
    // A session that has just gone away was there until now.
    if (live !== undefined || tunnel.session !== undefined) tunnel.lastLiveAt = this.#options.clock.now()
    if (live !== undefined) this.#waiting.wake(tunnel, live)
  }

  #add(lease: Lease): Published {
    const tunnel = new Published(lease, {
      agentName: (id) => this.agentName(id),
      hosts: (it) => this.#leases.hostsOf(it),
      addresses: (it): Addresses => addressesOf(it, this.#leases.hostsOf(it), this.#face),
    })
    this.#tunnels.set(lease.name, tunnel)
    this.#routes.add(tunnel)
    return tunnel
  }
}

/** Throws SESSION_CLOSED: nobody is there any more who could be told. */
function demand(isStillThere: boolean): void {
  if (!isStillThere) throw new EngawaError('SESSION_CLOSED')
}
