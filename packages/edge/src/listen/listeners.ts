import type { Socket } from 'node:net'
import { type Address, familyOf } from '@engawa/shared/addresses'
import type { Millis } from '@engawa/shared/mux/events'
import type { Admission } from '../admit.ts'
import type { EdgeSettings, PublicHost } from '../config.ts'
import { OWN_SOCKETS, type SocketSource } from '../generation/peers.ts'
import type { VisitorsCa } from '../identity/visitors-ca.ts'
import { Certificates } from '../tls/certificates.ts'
import type { PublicTls } from '../tls/open.ts'
import type { Undo } from '../undo.ts'
import { startHttp } from './http.ts'
import { listening } from './problem.ts'
import { type Closing, type Listening, listenTcp } from './sockets.ts'
import { startTcpPorts } from './tcp.ts'
import { startTls } from './tls.ts'
import { startUdpPorts } from './udp.ts'

export interface ListenerOptions {
  readonly settings: Pick<EdgeSettings, 'http' | 'https' | 'carrier' | 'bind' | 'domain'>
  readonly admission: Admission
  /** Undefined with `--https off`. */
  readonly visitorsCa: VisitorsCa | undefined
  readonly publicTls: PublicTls
  /** What the edge is called without a tunnel's name. */
  readonly hosts: readonly PublicHost[]
  /** An agent. `since`: when it connected. */
  readonly onCarrier: (socket: Socket, since: Millis, serverName?: string) => void
  readonly source?: SocketSource
  /** UDP ports are bound after it. */
  readonly openUdp?: Promise<void>
  /** Learns how to end each listener as soon as it has begun. */
  readonly undo: Undo
}

export interface Listeners {
  /** As asked for, with real ports; undefined: off. */
  readonly http: Address
  readonly https: Address | undefined
  /** Where agents come in: a port of their own, else the https port. */
  readonly carrier: Address | undefined
  /** Every leased port of this transport listens or has been tried. */
  settled(transport: 'tcp' | 'udp'): Promise<void>
  /** Takes no visitor any more; resolves when those inside have gone, at the latest after `drainMs`. */
  closeVisitors(drainMs: number, closing?: Closing): Promise<void>
  /** Takes no agent on a port of their own any more. */
  closeCarriers(): void
}

interface Closable {
  close(drainMs: number, closing?: Closing): Promise<void>
}

/** Begins to listen everywhere. Throws LISTEN_FAILED. */
export async function startListeners(options: ListenerOptions): Promise<Listeners> {
  const { settings, admission, visitorsCa, publicTls, hosts, onCarrier, undo } = options
  const { source = OWN_SOCKETS, openUdp } = options
  const { domain, bind } = settings
  const visitors: Closable[] = []
  const keep = <Listener extends Closable>(listener: Listener): Listener => {
    visitors.push(listener)
    undo.add(() => listener.close(0))
    return listener
  }
  const http = keep(
    await listening('--http', settings.http, startHttp({ address: settings.http, admission, from: source })),
  )
  let https: Address | undefined
  if (settings.https !== 'off' && visitorsCa !== undefined) {
    const bareHosts = hosts.map(({ host }) => host).filter((host) => familyOf(host) !== 0)
    const { publics, challenges } = publicTls
    const certificates = new Certificates({ table: admission.table, issuer: visitorsCa, domain, bareHosts, publics })
    admission.sharing = (serverName, host) => certificates.covers(serverName, host)
    const starting = startTls({
      address: settings.https,
      admission,
      certificates,
      challenges,
      onCarrier: (socket, serverName, since) => onCarrier(socket, since, serverName),
      source,
    })
    const { port } = keep(await listening('--https', settings.https, starting))
    https = { ...settings.https, port }
  }
  let carrier = https
  let ownCarriers: Listening | undefined
  if (settings.carrier !== undefined) {
    const accepted = (socket: Socket): void => {
      // Agents are told that it is over, not cut.
      own.release(socket)
      onCarrier(socket, performance.now())
    }
    const starting = listenTcp(settings.carrier, accepted, { from: source, use: 'carrier' })
    const own = await listening('--carrier', settings.carrier, starting)
    ownCarriers = own
    undo.add(() => own.close(0))
    carrier = { ...settings.carrier, port: own.port }
  }
  const ports = keep(startTcpPorts({ bind, admission, source }))
  const udpPorts = keep(startUdpPorts({ bind, admission, open: openUdp }))
  return {
    http: { ...settings.http, port: http.port },
    https,
    carrier,
    settled: (transport) => (transport === 'tcp' ? ports : udpPorts).settled(),
    closeVisitors: async (drainMs, closing) => {
      await Promise.all(visitors.map((listener) => listener.close(drainMs, closing)))
    },
    closeCarriers: () => void ownCarriers?.close(0),
  }
}
