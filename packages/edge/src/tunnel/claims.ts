import { EngawaError } from '@engawa/shared/errors'
import { parseTunnelHost, parseTunnelName } from '@engawa/shared/names'
import type { PortRange } from '@engawa/shared/ports'
import type { Bind } from '@engawa/shared/wire/control'
import type { Protocol } from '@engawa/shared/wire/opening'
import { parseRules } from '../guard/rules.ts'
import { type Grant, mayHoldHost, mayHoldName } from '../identity/grant.ts'
import type { AgentRow } from '../store/agents.ts'
import type { Lease } from '../store/leases.ts'
import { baseName, type Leases } from './leases.ts'
import { choosePorts, intersect, sizeOf, subtract } from './ports.ts'

/** What may be held here. */
export interface LeaseRules {
  readonly domain: string
  readonly protocols: ReadonlySet<Protocol>
  tcpPorts(): readonly PortRange[]
  udpPorts(): readonly PortRange[]
  readonly limits: { readonly names: number; readonly ports: number }
  /** Ports that the edge itself listens on. */
  ownPorts(): readonly number[]
  /** HTTP tunnels get a port of their own. contract.md, "With `--domain localhost`" */
  portPerHttp(): boolean
}

/** What is known of the edge's machine beyond the leases. */
export interface KnownPorts {
  /** Other programs have these. */
  readonly busy?: readonly number[]
  /** Nobody had these a moment ago: these or none. */
  readonly tried?: PortRange
}

/**
 * Names that mean something to programs: whoever held them could lead other people's machines astray
 * (proxy and mail set-up), or speak for the edge.
 */
const RESERVED = new Set(['autoconfig', 'autodiscover', 'edge', 'engawa', 'isatap', 'mta-sts', 'wpad'])

/** How many may stand behind one name. */
const MOST_SHARES = 64

/** The rules for new leases: what an agent may hold beside what is held already. Changes nothing. */
export class Claims {
  readonly #leases: Leases
  readonly #rules: LeaseRules

  constructor(leases: Leases, rules: LeaseRules) {
    this.#leases = leases
    this.#rules = rules
  }

  /**
   * What `agent` would hold by this bind; nothing changes yet.
   * Throws the codes of bindings: NAME_…, HOST_…, PORT_…, TUNNEL_LIMIT, PROTOCOL_UNSUPPORTED.
   */
  claim(
    agent: AgentRow,
    bind: Bind,
    { inUse = () => false, ...ports }: KnownPorts & { inUse?: (name: string) => boolean } = {},
  ): Lease {
    if (!this.#rules.protocols.has(bind.protocol)) {
      throw new EngawaError('PROTOCOL_UNSUPPORTED', `this edge does not publish ${bind.protocol}`)
    }
    const balance = bind.protocol === 'http' && bind.balance === true
    const base = parseTunnelName(bind.name)
    this.#demandName(agent, base, balance)
    const name = balance ? this.#place(agent, base, { target: bind.target, inUse }) : base
    const byHost = bind.protocol === 'http' || bind.protocol === 'tls'
    if (!byHost && (bind.hosts?.length ?? 0) > 0) {
      throw new EngawaError('HOST_NOT_ALLOWED', `a ${bind.protocol} tunnel is reached by its port, not by a domain`)
    }
    const path = bind.protocol === 'http' ? cleanPath(bind.path) : undefined
    const whole = bind.protocol === 'tls'
    const hosts = this.#claimHosts(agent, { name, path, hosts: bind.hosts ?? [], whole, balance })
    this.#demandRoom(agent, name, hosts)
    return {
      name,
      agent: agent.id,
      protocol: bind.protocol,
      hosts,
      path,
      ports:
        byHost && !(bind.protocol === 'http' && this.#rules.portPerHttp())
          ? undefined
          : this.#claimPorts(agent, bind, name, ports),
      target: bind.target,
      rules: parseRules(bind),
      bare: bind.protocol === 'http' && bind.bare === true && this.#mayBeBare(agent),
      balance,
      published: true,
    }
  }

  /** Under which of `web`, `web+2` … it stands: the one it had, else one that is free. */
  #place(
    agent: AgentRow,
    base: string,
    { target, inUse }: { target: string; inUse: (name: string) => boolean },
  ): string {
    const places = Array.from({ length: MOST_SHARES }, (_, index) => (index === 0 ? base : `${base}+${index + 1}`))
    const own = places.filter((place) => this.#leases.get(place)?.agent === agent.id && !inUse(place))
    const same = own.find((place) => this.#leases.get(place)?.target === target)
    const found = same ?? own[0] ?? places.find((place) => this.#leases.get(place) === undefined)
    if (found !== undefined) return found
    throw new EngawaError('TUNNEL_LIMIT', `${MOST_SHARES} share the name ${base} already`)
  }

  /** `balance`: it may stand beside others that share the name, if its invitation names it. */
  #demandName(agent: AgentRow, name: string, balance: boolean = false): void {
    // `lab` and `*.lab` are one holder's: nobody else is to answer below somebody's name.
    const label = name.replace(/^\*\./, '')
    const both = [label, `*.${label}`]
    const holders = both.flatMap((each) => [
      this.#leases.get(each),
      ...this.#leases.holders(`${each}.${this.#rules.domain}`),
    ])
    const others = holders.filter((lease) => lease !== undefined && lease.agent !== agent.id)
    const shared = balance && others.every((lease) => lease?.balance === true)
    if (others.length > 0 && shared && agent.grant.names === undefined) {
      const how = `edge invite ${agent.name} --names ${name}`
      throw new EngawaError('NAME_TAKEN', `the name ${name} is shared by agents whose invitations name it: ${how}`)
    }
    if (others.length > 0 && !shared) {
      throw new EngawaError('NAME_TAKEN', `the name ${name} is held by another agent`)
    }
    if (RESERVED.has(label)) throw new EngawaError('NAME_NOT_ALLOWED', `the name ${name} is reserved`)
    if (!mayHoldName(agent.grant, label)) {
      throw new EngawaError('NAME_NOT_ALLOWED', `the invitation of this agent does not allow the name ${name}`)
    }
  }

  /**
   * A host is a name too, below the edge's domain or an own one: else a hundred tunnels of a hundred hosts each would
   * take ten thousand names. What the agent held before its limit was lowered counts, but may be had back.
   */
  #demandRoom(agent: AgentRow, name: string, hosts: readonly string[]): void {
    const { domain, limits } = this.#rules
    const label = (host: string): string => (host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : host)
    const held = new Set(
      this.#leases.of(agent.id).flatMap((lease) => [baseName(lease.name), ...lease.hosts.map(label)]),
    )
    const others = this.#leases.of(agent.id).filter((lease) => lease.name !== name)
    const wanted = [baseName(name), ...hosts.map(label)]
    const all = [
      ...new Set([...others.flatMap((lease) => [baseName(lease.name), ...lease.hosts.map(label)]), ...wanted]),
    ]
    const names = all.filter((each) => !each.includes('.')).length
    if (Math.max(names, all.length - names) <= limits.names || wanted.every((each) => held.has(each))) return
    throw new EngawaError('TUNNEL_LIMIT', `an agent may hold ${limits.names} names: agent release NAME`)
  }

  #claimHosts(
    agent: AgentRow,
    wanted: { name: string; path: string | undefined; hosts: readonly string[]; whole: boolean; balance: boolean },
  ): string[] {
    const hosts = [...new Set(wanted.hosts.map((text) => parseTunnelHost(text)))].filter(
      (host) => host !== `${baseName(wanted.name)}.${this.#rules.domain}`,
    )
    for (const host of hosts) {
      this.#demandHost(agent, host)
      for (const other of this.#leases.holders(host)) {
        if (other.name === wanted.name) continue
        if (wanted.balance && other.balance && baseName(other.name) === baseName(wanted.name)) continue
        if (other.agent !== agent.id) throw new EngawaError('HOST_TAKEN', `${host} is held by another agent`)
        // Beside TLS passed through, plain HTTP of the same name may lead elsewhere: to answer a CA's HTTP-01, say.
        if (wanted.whole !== (other.protocol === 'tls')) continue
        // Passed through unopened there is no path to tell two apart.
        if (other.path !== wanted.path && !wanted.whole) continue
        throw new EngawaError('HOST_TAKEN', `${host}${wanted.path ?? ''} leads to this agent’s tunnel ${other.name}`)
      }
    }
    return hosts
  }

  /** The bare address is like a name that nobody has to name: whoever may hold any name may have it. Throws HOST_…. */
  #mayBeBare(agent: AgentRow): boolean {
    const { domain } = this.#rules
    const held = this.#leases.all().find((lease) => lease.bare && lease.agent !== agent.id)
    if (held !== undefined) throw new EngawaError('HOST_TAKEN', 'the bare address leads to another agent')
    if (agent.grant.names === undefined || mayHoldHost(agent.grant, domain)) return true
    throw new EngawaError('HOST_NOT_ALLOWED', `the invitation of this agent does not allow the bare address ${domain}`)
  }

  /** A name below the edge's domain is held as any name is, everything else only by a grant that says so. */
  #demandHost(agent: AgentRow, host: string): void {
    if (mayHoldHost(agent.grant, host)) return
    const { domain } = this.#rules
    const label = host.endsWith(`.${domain}`) ? host.slice(0, -domain.length - 1) : undefined
    if (label !== undefined && /^(?:\*\.)?[^.*]+$/.test(label)) return this.#demandName(agent, label)
    throw new EngawaError('HOST_NOT_ALLOWED', `the invitation of this agent does not allow the domain ${host}`)
  }

  #claimPorts(agent: AgentRow, bind: Bind, name: string, { busy = [], tried }: KnownPorts): PortRange {
    const { limits } = this.#rules
    const udp = bind.protocol === 'udp'
    const wished = bind.protocol === 'http' ? undefined : bind.port
    const count = bind.protocol === 'http' ? 1 : (bind.count ?? (wished === undefined ? 1 : sizeOf(wished)))
    const others = this.#leases.all().filter((lease) => lease.name !== name && lease.ports !== undefined)
    const own = others.reduce((sum, lease) => sum + (lease.agent === agent.id ? sizeOf(lease.ports ?? [1, 0]) : 0), 0)
    if (own + count > limits.ports) throw new EngawaError('TUNNEL_LIMIT', `an agent may hold ${limits.ports} ports`)
    const held = this.#leases.get(name)
    return choosePorts(
      {
        want: tried ?? wished,
        exact: tried !== undefined || (bind.exact === true && wished !== undefined),
        count,
        held: held?.protocol === bind.protocol ? held.ports : undefined,
      },
      {
        permitted: this.#permitted(agent.grant, udp),
        taken: [
          ...others
            .filter((lease) => (lease.protocol === 'udp') === udp)
            .flatMap(({ ports }) => (ports === undefined ? [] : [ports])),
          ...busy.map((port): PortRange => [port, port]),
        ],
      },
    )
  }

  #permitted(grant: Grant, udp: boolean): PortRange[] {
    const here = udp
      ? this.#rules.udpPorts()
      : subtract(
          this.#rules.tcpPorts(),
          this.#rules.ownPorts().map((port): PortRange => [port, port]),
        )
    return intersect(here, grant.ports ?? [[1, 65_535]])
  }
}

/** An address with it still fits into one message to the agent, and a visitor's request line. */
const MAX_PATH = 512

/** `/PREFIX` without a final slash; undefined for all paths. Throws FLAG_INVALID. */
function cleanPath(path: string | undefined): string | undefined {
  const bare = path?.replace(/\/+$/, '') ?? ''
  if (bare === '') return undefined
  if (bare.length > MAX_PATH) throw new EngawaError('FLAG_INVALID', `a path has at most ${MAX_PATH} characters`)
  if (/^(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)+$/.test(bare)) return bare
  throw new EngawaError('FLAG_INVALID', 'a path begins with / and has no empty part, no . or .., no ? and no #')
}
