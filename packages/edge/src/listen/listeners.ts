import type { Socket } from 'node:net'
import { type Address, familyOf } from '@engawa/shared/addresses'
import type { Millis } from '@engawa/shared/mux/events'
import type { Admission } from '../admit.ts'
import type { EdgeSettings, PublicHost } from '../config.ts'
import type { VisitorsCa } from '../identity/visitors-ca.ts'
import { Certificates } from '../tls/certificates.ts'
import type { PublicTls } from '../tls/open.ts'
import type { Undo } from '../undo.ts'
import { startHttp } from './http.ts'
import { listening } from './problem.ts'
import { listenTcp } from './sockets.ts'
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
  readonly onCarrier: (socket: Socket, since: Millis) => void
  /** Learns how to end each listener as soon as it has begun. */
  readonly undo: Undo
}

export interface Listeners {
  /** As asked for, with real ports; undefined: off. */
  readonly http: Address
  readonly https: Address | undefined
  /** Where agents come in: a port of their own, else the https port. */
  readonly carrier: Address | undefined
  /** Every leased port listens or has been tried. */
  settled(): Promise<void>
  /** Takes no visitor any more; resolves when those inside have gone, at the latest after `drainMs`. */
  closeVisitors(drainMs: number): Promise<void>
}

/** Begins to listen everywhere. Throws LISTEN_FAILED. */
export async function startListeners(options: ListenerOptions): Promise<Listeners> {
  const { settings, admission, visitorsCa, publicTls, hosts, onCarrier, undo } = options
  const { domain, bind } = settings
  const visitors: { close(drainMs: number): Promise<void> }[] = []
  const keep = <Listener extends { close(drainMs: number): Promise<void> }>(listener: Listener): Listener => {
    visitors.push(listener)
    undo.add(() => listener.close(0))
    return listener
  }
  const http = keep(await listening('--http', settings.http, startHttp({ address: settings.http, admission })))
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
      onCarrier: (socket, _serverName, since) => onCarrier(socket, since),
    })
    const { port } = keep(await listening('--https', settings.https, starting))
    https = { ...settings.https, port }
  }
  let carrier = https
  if (settings.carrier !== undefined) {
    const starting = listenTcp(settings.carrier, (socket) => {
      // Agents are told that it is over, not cut.
      own.release(socket)
      onCarrier(socket, performance.now())
    })
    const own = await listening('--carrier', settings.carrier, starting)
    undo.add(() => own.close(0))
    carrier = { ...settings.carrier, port: own.port }
  }
  const ports = keep(startTcpPorts({ bind, admission }))
  const udpPorts = keep(startUdpPorts({ bind, admission }))
  return {
    http: { ...settings.http, port: http.port },
    https,
    carrier,
    settled: async () => void (await Promise.all([ports.settled(), udpPorts.settled()])),
    closeVisitors: async (drainMs) => {
      await Promise.all(visitors.map((listener) => listener.close(drainMs)))
    },
  }
}
