import { randomBytes } from 'node:crypto'
import type { Clock } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import type { PortRange } from '@engawa/shared/ports'
import type { Bind, Bound } from '@engawa/shared/wire/control'
import { MAX_MESSAGE_BYTES } from '@engawa/shared/wire/limits'
import type { Protocol } from '@engawa/shared/wire/opening'
import type { EdgeSettings } from '../config.ts'
import { parseHost } from '../route/host.ts'
import type { Lease } from '../store/leases.ts'
import type { Store } from '../store/store.ts'
import { Claims } from './claims.ts'
import { type Addresses, addressesOf, type Face } from './face.ts'
import { parseHealth, watchHealth } from './health.ts'
import { baseName, Leases } from './leases.ts'
import type { Probe } from './probe.ts'
import { type AgentSession, Published } from './published.ts'
import { Routes, transportOf } from './routes.ts'
import type { Live, PortChange, Tunnel, TunnelTable } from './tunnel.ts'
import { Waiting } from './waiting.ts'

/** How long after its start the edge waits for agents that it cannot have seen yet, ms. contract.md */
const YOUNG_MS = 30_000
/** How many freely chosen ports are tried when other programs have them. */
const MOST_TRIES = 20

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
  readonly #listeners: ((change: PortChange) => unknown)[] = []
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
    for (const lease of this.#leases.all()) {
      const tunnel = this.#add(lease)
      if (lease.published) this.#listenFor(tunnel, settings.graceMs)
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
    this.#listeners.push(listener)
    for (const tunnel of this.all()) if (tunnel.listening) listener({ tunnel, listen: true })
  }

  onRules(listener: (tunnel: Tunnel) => void): void {
    this.#ruleListeners.push(listener)
  }

  /** Publishes one service of a session. Throws the codes of bindings; nothing has changed then. */
  async bind(session: AgentSession, bind: Bind): Promise<Bound> {
    checkHostHeader(bind)
    checkPrefix(bind)
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
    tunnel.hostHeader = bind.hostHeader
    tunnel.rewrite = { strip: bind.strip === true, prefix: bind.prefix ?? '' }
    tunnel.h2c = bind.h2c === true
    tunnel.check = randomBytes(16).toString('base64url')
    tunnel.unwatch?.()
    tunnel.well = true
    tunnel.unwatch = health && watchHealth(tunnel, health, this.#options.clock)
    this.#options.clock.clearTimer(tunnel.timer)
    await this.#listen(tunnel, true)
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
    return {
      type: 'bound',
      service: tunnel.service,
      name: baseName(tunnel.name),
      public: tunnel.told,
      urls: fitting(tunnel.urls),
      ...(tunnel.ports === undefined ? {} : { ports: tunnel.ports }),
      ...(tunnel.check === undefined ? {} : { check: tunnel.check }),
      ...(tunnel.awaitsCertificate && { awaitsCertificate: true }),
      ...(tunnel.protocol === 'udp' && { idleMs: this.#options.settings.limits.udp.idleMs }),
    }
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
      if (lease.published) this.#listenFor(tunnel, this.#options.settings.graceMs)
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
      if (tunnel.listening) this.#listenFor(tunnel, graceLeftMs)
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
    for (const tunnel of this.#tunnels.values()) {
      this.#options.clock.clearTimer(tunnel.timer)
      tunnel.unwatch?.()
      this.#waiting.abandon(tunnel)
    }
  }

  /** A lease whose ports no other program has. */
  async #claim(session: AgentSession, bind: Bind): Promise<Lease> {
    const { store, settings, probe } = this.#options
    const agent = store.agents.byId(session.agentId)
    if (agent?.key === undefined) throw new EngawaError('NAME_NOT_ALLOWED', 'this agent is not welcome any more')
    const busy: number[] = []
    const inUse = (name: string): boolean => {
      const tunnel = this.#tunnels.get(name)
      return tunnel?.session === session && tunnel.service !== bind.service
    }
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const lease = this.#claims.claim(agent, bind, { busy, inUse })
      const { ports } = lease
      if (ports === undefined || this.#hasOpen(lease, ports)) return lease
      const stolen = await probe(transportOf(lease), settings.bind, ports)
      // Others may have been quicker while these ports were tried: the same question again, for just what came of it.
      if (stolen === undefined) return this.#claims.claim(agent, bind, { tried: ports, inUse })
      if (bind.exact === true) {
        throw new EngawaError('PORT_UNAVAILABLE', `another program on the edge’s machine has port ${stolen}`)
      }
      busy.push(stolen)
    }
    throw new EngawaError('PORT_UNAVAILABLE', 'other programs on the edge’s machine have every port that was tried')
  }

  #hasOpen(lease: Lease, ports: PortRange): boolean {
    const tunnel = this.#tunnels.get(lease.name)
    if (tunnel?.listening !== true || transportOf(tunnel) !== transportOf(lease)) return false
    return String(tunnel.ports) === String(ports)
  }

  #serving(session: AgentSession, service: number): Published | undefined {
    return this.all().find((tunnel) => tunnel.session === session && tunnel.service === service)
  }

  /** The tunnel of a lease, brought up to it; another session that had it loses it. */
  #settle(former: Published | undefined, lease: Lease): Published {
    if (former === undefined) return this.#add(lease)
    if (String(former.ports) !== String(lease.ports) || former.protocol !== lease.protocol)
      void this.#listen(former, false)
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
    void this.#listen(tunnel, false)
    this.#unplug(tunnel)
    if (this.#retired) return
    try {
      this.#leases.keep({ ...tunnel.lease, published: false })
    } catch {
      // On a full disk the port is closed all the same; only a restart would open it for the grace.
    }
  }

  #drop(tunnel: Published): void {
    void this.#listen(tunnel, false)
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

  /** Keeps the ports open for so long without an agent. */
  #listenFor(tunnel: Published, ms: number): void {
    const { clock } = this.#options
    clock.clearTimer(tunnel.timer)
    if (tunnel.ports === undefined) return
    void this.#listen(tunnel, true)
    tunnel.timer = clock.setTimer(() => void this.#listen(tunnel, false), Math.max(0, ms))
  }

  /** Resolves when the listeners that can tell have done it. */
  async #listen(tunnel: Published, listen: boolean): Promise<void> {
    if (!listen) this.#options.clock.clearTimer(tunnel.timer)
    if (tunnel.ports === undefined || tunnel.listening === listen) return
    tunnel.listening = listen
    await Promise.all(this.#listeners.map((listener) => listener({ tunnel, listen })))
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

/** As many addresses as one message holds, the first ones. A hundred long hosts with both schemes would be too many. */
function fitting(urls: readonly string[]): readonly string[] {
  let left = MAX_MESSAGE_BYTES / 2
  return urls.filter((url) => (left -= url.length + 3) > 0)
}

/** Throws SESSION_CLOSED: nobody is there any more who could be told. */
function demand(isStillThere: boolean): void {
  if (!isStillThere) throw new EngawaError('SESSION_CLOSED')
}

/** It goes into every request: nothing but a host may stand there. */
function checkHostHeader({ hostHeader }: Bind): void {
  if (hostHeader === undefined || parseHost(hostHeader) !== undefined) return
  throw new EngawaError('FLAG_INVALID', 'a Host is a name or an address, and perhaps a port')
}

/** It goes into every request line. */
function checkPrefix({ prefix }: Bind): void {
  if (prefix === undefined || /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)*$/.test(prefix)) return
  throw new EngawaError('FLAG_INVALID', 'a path begins with / and has no empty part, no . or .., no ? and no #')
}
