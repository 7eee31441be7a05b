import type { BlockList, Socket } from 'node:net'
import { type Code, EngawaError } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { type Endpoint, endpoint, type Protocol } from '@engawa/shared/wire/opening'
import type { Logger } from 'pino'
import type { Account } from './access/entry.ts'

import { Pages } from './forward/pages.ts'
import { blockListOf, Door, isTrusted } from './guard/door.ts'
import type { VisitorLimits } from './guard/limits.ts'
import { Memory } from './guard/memory.ts'
import { OpenStreams } from './guard/open.ts'

import type { Authority } from './route/host.ts'
import { climbs, hasPath, isBare, isBelow, isDisguised, isPassed, routeHttp, tunnelNamed } from './route/route.ts'
import type { Live, Tunnel, TunnelTable } from './tunnel/tunnel.ts'

/** What the listeners need to know of the edge. */
export interface VisitorSettings {
  readonly domain: string
  /** CIDRs of proxies in front of the edge whose word on the visitor is taken. */
  readonly trustedProxies: readonly string[]
  readonly limits: VisitorLimits
}

/** Both ends of a TCP connection; behind a proxy that says so, of the one that it has accepted in our place. */
export interface Ends {
  readonly peer: Endpoint
  readonly local: Endpoint
}

export function endsOf(wire: Socket): Ends {
  return { peer: endpoint(wire.remoteAddress, wire.remotePort), local: endpoint(wire.localAddress, wire.localPort) }
}

/** Who came, and where to. */
export interface Visitor extends Ends {
  /** The address that rules go by: a trusted proxy speaks for another than itself. */
  readonly client: string
  readonly secure: boolean
  /** SNI, lower case; undefined without TLS, or when none was sent. */
  readonly serverName: string | undefined
  /** They came to a port that leads to one HTTP tunnel alone, whatever the Host says. */
  readonly ownPort: boolean
}

/** What a visitor wants. */
export type Wanted =
  | { readonly protocol: 'http'; readonly authority: Authority; readonly path: string }
  | { readonly protocol: 'tcp' | 'udp'; readonly port: number }
  /** To be passed through unopened. */
  | { readonly protocol: 'tls'; readonly serverName: string }

/** A guard sees who asks for what. It answers; it never waits or touches a socket. */
export type Guard = (visitor: Visitor, tunnel: Tunnel) => Code | undefined

/** First of all: what the tunnel's own agent wants. */
const byAddress: Guard = ({ client }, { rules }) => (rules?.admits(client) === false ? 'BLOCKED' : undefined)

/** A tunnel that is there: `open` as many streams as are needed. */
export interface Reached {
  readonly tunnel: Tunnel
  readonly live: Live
  /** Throws SESSION_FULL. */
  readonly open: () => Stream
}

/** Told of each visitor who is turned away without an answer of HTTP: those are told to `account`. */
export type Refused = (protocol: Protocol, code: Code) => void

/** What the edge says by itself over HTTP, where it keeps certificates that browsers trust. */
export interface PublicWeb {
  /** To a CA that looks; undefined: it is a request like any other. */
  challenge(host: string, path: string): { readonly text: string | undefined } | undefined
  /** Where a visitor over plain HTTP should go instead; undefined: nowhere. */
  secureUrl(host: string, target: string): string | undefined
  /** `Strict-Transport-Security` for this host. */
  strictTransport(host: string): string | undefined
}

const NO_PUBLIC_WEB: PublicWeb = {
  challenge: () => undefined,
  secureUrl: () => undefined,
  strictTransport: () => undefined,
}

/** The one order for every visitor: door, route, guards, a live agent, a stream. */
export class Admission {
  readonly table: TunnelTable
  readonly settings: VisitorSettings
  readonly log: Logger
  readonly door: Door
  /** Told of each request that is over. */
  readonly account: Account
  readonly refused: Refused
  /** What certificates that browsers trust change for visitors. */
  readonly publicWeb: PublicWeb
  /** HTTP/1.1 is read by Node's parser alone. */
  readonly nodeHttp: boolean
  /** Whether a certificate shown for one name is good for another. */
  sharing: (serverName: string, host: string) => boolean = () => false
  #trusted: BlockList
  #pages: Pages
  readonly #memory: Memory
  readonly #guards: readonly Guard[]
  readonly #open = new OpenStreams()

  constructor({
    table,
    settings,
    log,
    guards = [],
    account = () => {},
    refused = () => {},
    pages = new Pages(),
    publicWeb = NO_PUBLIC_WEB,
    nodeHttp = false,
    memory = new Memory(settings.limits),
  }: {
    table: TunnelTable
    settings: VisitorSettings
    log: Logger
    guards?: readonly Guard[]
    account?: Account
    refused?: Refused
    pages?: Pages
    publicWeb?: PublicWeb
    nodeHttp?: boolean
    memory?: Memory
  }) {
    this.table = table
    this.settings = settings
    this.log = log
    this.account = account
    this.refused = refused
    this.#pages = pages
    this.publicWeb = publicWeb
    this.nodeHttp = nodeHttp
    this.#memory = memory
    this.#guards = [byAddress, ...guards]
    table.onRules((tunnel) => this.#open.enforce(tunnel))
    this.#trusted = blockListOf(settings.trustedProxies)
    this.door = new Door(settings.limits, () => this.#trusted, undefined, memory)
  }

  get trusted(): BlockList {
    return this.#trusted
  }

  /** What stands in place of the edge's own pages. */
  get pages(): Pages {
    return this.#pages
  }

  /** The settings have changed: for who comes from now on. */
  renew(pages: Pages): void {
    this.#pages = pages
    this.#trusted = blockListOf(this.settings.trustedProxies)
  }

  /** Which tunnel, if any. Throws HOST_UNKNOWN, MISDIRECTED, EDGE_BUSY (for requests) or what a guard says. */
  find(visitor: Visitor, wanted: Wanted): Tunnel {
    if (wanted.protocol === 'http' && this.#memory.pressure !== 'none') throw new EngawaError('EDGE_BUSY')
    const tunnel = this.#find(visitor, wanted)
    if (tunnel === undefined) throw new EngawaError('HOST_UNKNOWN')
    this.#ask(visitor, tunnel)
    return tunnel
  }

  /** Another one behind the same name, for a request that has failed at those `tried`; none that refuses the visitor. */
  another(tunnel: Tunnel, visitor: Visitor, tried: Set<Tunnel>): Tunnel | undefined {
    for (let next = this.table.another(tunnel, tried); next !== undefined; next = this.table.another(tunnel, tried)) {
      const other = next
      if (!this.#guards.some((guard) => guard(visitor, other) !== undefined)) return other
      tried.add(other)
    }
    return undefined
  }

  /** Waits for the tunnel's agent as the table allows. Throws AGENT_AWAY, or what a guard says after the wait. */
  async reach(
    tunnel: Tunnel,
    visitor: Visitor,
    { port, ...waiting }: { port?: number; bytes?: number; signal?: AbortSignal },
  ): Promise<Reached> {
    const now = this.reachNow(tunnel, visitor, port)
    if (now !== undefined) return now
    const live = await this.table.whenLive(tunnel, waiting)
    // The agent may have come back with other rules.
    this.#ask(visitor, tunnel)
    return this.#reached(tunnel, live, visitor, port)
  }

  /** As `reach`, without a wait; undefined where there would be one. */
  reachNow(tunnel: Tunnel, visitor: Visitor, port?: number): Reached | undefined {
    const { live } = tunnel
    return live === undefined ? undefined : this.#reached(tunnel, live, visitor, port)
  }

  #reached(tunnel: Tunnel, live: Live, visitor: Visitor, port: number | undefined): Reached {
    const open = (): Stream => {
      const portIndex = port === undefined ? 0 : port - (tunnel.ports?.[0] ?? port)
      const { protocol } = tunnel
      const opening = { service: live.service, portIndex, protocol, visitor: endOf(visitor), public: visitor.local }
      const stream = live.link.open(opening)
      this.#open.add(tunnel, visitor.client, stream)
      return stream
    }
    return { tunnel, live, open }
  }

  /** Whether the one tunnel behind a TCP port refuses whoever comes from `address`, whatever they may ask. */
  denies(address: string | undefined, port: number): boolean {
    if (address === undefined || isTrusted(this.trusted, address)) return false
    return this.table.byPort('tcp', port)?.rules?.admits(address) === false
  }

  #ask(visitor: Visitor, tunnel: Tunnel): void {
    for (const guard of this.#guards) {
      const code = guard(visitor, tunnel)
      if (code !== undefined) throw new EngawaError(code)
    }
  }

  #find(visitor: Visitor, wanted: Wanted): Tunnel | undefined {
    if (wanted.protocol === 'http') return this.#findHttp(visitor, wanted)
    if (wanted.protocol !== 'tls') return this.table.byPort(wanted.protocol, wanted.port)
    const tunnel = tunnelNamed(this.table, wanted.serverName)
    return tunnel?.protocol === 'tls' ? tunnel : undefined
  }

  /** Counts whom a trusted proxy speaks for, as long as the socket lives; false when that address has too many. */
  countBehind(socket: Socket, { peer }: Ends): boolean {
    const pass = this.door.behind(peer.address)
    if (typeof pass === 'string') return false
    socket.once('close', () => pass.leave())
    return true
  }

  #findHttp(visitor: Visitor, asked: { authority: Authority; path: string }): Tunnel | undefined {
    const tunnel = this.#routeHttp(visitor, asked)
    const { authority, path } = asked
    if (tunnel !== undefined && hasPath(tunnel) && climbs(path)) throw new EngawaError('REQUEST_INVALID')
    if (!visitor.ownPort && isDisguised(this.table, authority, path)) throw new EngawaError('REQUEST_INVALID')
    return tunnel
  }

  #routeHttp(
    { secure, serverName, ownPort, local }: Visitor,
    { authority, path }: { authority: Authority; path: string },
  ): Tunnel | undefined {
    if (ownPort) {
      const only = this.table.byPort('tcp', local.port)
      return isBelow(path, only?.path) ? only : undefined
    }
    const { domain } = this.settings
    // The certificate shown is the one for the SNI, or for the bare address; a public one may be good for more names.
    const covered = serverName === undefined ? isBare(authority, domain) : authority.name === serverName
    if (secure && !covered && !(serverName !== undefined && this.sharing(serverName, authority.name)))
      throw new EngawaError('MISDIRECTED')
    const tunnel = routeHttp(this.table, { authority, path, domain })
    const passed = secure && isPassed(this.table, authority.name)
    if (!passed && (tunnel === undefined || tunnel.protocol === 'http')) return tunnel
    // A passed-through name: its agent alone may answer for it.
    throw new EngawaError(secure ? 'MISDIRECTED' : 'HOST_UNKNOWN')
  }
}

/** Whom the service is told of. A proxy's word names an address and no port. */
function endOf({ peer, client }: Visitor): Endpoint {
  return client === peer.address ? peer : endpoint(client, 0)
}
