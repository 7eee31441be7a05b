import { EngawaError } from '@engawa/shared/errors'
import { wildcardOf } from '@engawa/shared/names'
import type { AddressRules } from '../../src/guard/rules.ts'
import type { Live, PortChange, Traffic, Tunnel, TunnelTable } from '../../src/tunnel/tunnel.ts'

export interface FakeTunnel extends Tunnel {
  live: Live | undefined
  rules: AddressRules | undefined
  hostHeader: string | undefined
  h2c: boolean
  readonly traffic: Traffic
}

export function fakeTunnel(over: Partial<Tunnel> & Pick<Tunnel, 'name'>): FakeTunnel {
  return {
    agent: 'home',
    protocol: 'http',
    hosts: [`${over.name}.example.com`],
    ports: undefined,
    path: undefined,
    public: '',
    urls: [],
    target: '',
    hostHeader: undefined,
    rewrite: { strip: false, prefix: '' },
    balanced: false,
    h2c: false,
    rules: undefined,
    check: undefined,
    live: undefined,
    lastLiveAt: 0,
    traffic: { received: 0, sent: 0, total: 0, open: 0, dropped: 0 },
    ...over,
  }
}

/** A table in memory. Tunnels of `holding` are waited for until `arrive`. */
export class FakeTable implements TunnelTable {
  readonly tunnels: FakeTunnel[] = []
  readonly holding = new Set<Tunnel>()
  bareTunnel: Tunnel | undefined
  readonly #waiting: { tunnel: Tunnel; resolve: (live: Live) => void; reject: (error: Error) => void }[] = []
  readonly #ruleListeners: ((tunnel: Tunnel) => void)[] = []
  readonly #portListeners: ((change: PortChange) => unknown)[] = []
  /** Called when somebody waits. */
  waited: () => void = () => {}

  byHost(host: string, path: string): Tunnel | undefined {
    return this.named(host).find((tunnel) => path.startsWith(tunnel.path ?? '/'))
  }

  another(_tunnel?: Tunnel, _tried?: ReadonlySet<Tunnel>): Tunnel | undefined {
    return undefined
  }

  named(host: string): readonly Tunnel[] {
    const own = this.tunnels.filter(({ hosts }) => hosts.includes(host))
    return own.length > 0 ? own : this.tunnels.filter(({ hosts }) => hosts.includes(wildcardOf(host)))
  }

  bare(): Tunnel | undefined {
    return this.bareTunnel
  }

  byPort(protocol: 'tcp' | 'udp', port: number): Tunnel | undefined {
    return this.tunnels.find(
      (tunnel) =>
        (tunnel.protocol === 'udp') === (protocol === 'udp') &&
        tunnel.ports !== undefined &&
        tunnel.ports[0] <= port &&
        port <= tunnel.ports[1],
    )
  }

  all(): readonly Tunnel[] {
    return this.tunnels
  }

  whenLive(tunnel: Tunnel, waiting?: { signal?: AbortSignal }): Promise<Live> {
    if (tunnel.live !== undefined) return Promise.resolve(tunnel.live)
    if (!this.holding.has(tunnel)) return Promise.reject(new EngawaError('AGENT_AWAY'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ tunnel, resolve, reject })
      waiting?.signal?.addEventListener('abort', () => reject(new EngawaError('AGENT_AWAY')))
      this.waited()
    })
  }

  arrive(tunnel: FakeTunnel, live: Live): void {
    tunnel.live = live
    for (const one of this.#waiting) if (one.tunnel === tunnel) one.resolve(live)
  }

  giveUp(): void {
    for (const { reject } of this.#waiting) reject(new EngawaError('AGENT_AWAY'))
  }

  onPorts(listener: (change: PortChange) => unknown): void {
    this.#portListeners.push(listener)
    for (const tunnel of this.tunnels) if (tunnel.ports !== undefined) listener({ tunnel, listen: true })
  }

  onRules(listener: (tunnel: Tunnel) => void): void {
    this.#ruleListeners.push(listener)
  }

  changeRules(tunnel: FakeTunnel, rules: AddressRules | undefined): void {
    tunnel.rules = rules
    for (const listener of this.#ruleListeners) listener(tunnel)
  }

  changePorts(tunnel: Tunnel, listen: boolean): void {
    for (const listener of this.#portListeners) listener({ tunnel, listen })
  }
}
