import { networkInterfaces } from 'node:os'
import { type Address, familyOf, formatAddress } from '@engawa/shared/addresses'
import { REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { CarrierDoor } from '@engawa/shared/carrier/handshake-edge'
import { makeFolder } from '@engawa/shared/folder'
import { lockFolder } from '@engawa/shared/lock'
import { startAdmin } from './admin/listen.ts'
import { LiveOffice } from './admin/live.ts'
import { Admission } from './admit.ts'
import type { EdgeSettings, PublicHost } from './config.ts'
import type { EdgeEvent, ReadyEvent } from './events.ts'
import { openCarrierCa } from './identity/carrier-ca.ts'
import { Gatekeeper } from './identity/gatekeeper.ts'
import { openVisitorsCa } from './identity/visitors-ca.ts'
import { AgentListener } from './listen/agents.ts'
import { type RunningListener, startHttp } from './listen/http.ts'
import { listening } from './listen/problem.ts'
import { listenTcp } from './listen/sockets.ts'
import { startTcpPorts } from './listen/tcp.ts'
import { startTls } from './listen/tls.ts'
import type { Logger } from './log.ts'
import { dialHosts, effective, nearest, type OwnAddress } from './reach.ts'
import { report } from './report.ts'
import { storePath } from './state.ts'
import { openStore } from './store/store.ts'
import { Certificates } from './tls/certificates.ts'
import type { Face } from './tunnel/face.ts'
import { probeTcp } from './tunnel/probe.ts'
import { Registry } from './tunnel/registry.ts'
import { Undo } from './undo.ts'
import { version } from './version.ts'

export interface EdgeOptions {
  /** The data folder; made where it is not there. */
  readonly folder: string
  readonly log: Logger
  readonly onEvent: (event: EdgeEvent) => void
}

export interface RunningEdge {
  readonly ready: ReadyEvent
  /** Takes nothing new, waits at most `drainMs` (or until `hurried`) for what runs, then ends every session. */
  stop(drainMs: number, hurried?: Promise<unknown>): Promise<void>
}

/**
 * Makes an edge and lets it serve: state, authorities, tunnels, listeners, the admin API.
 * Throws FOLDER_LOCKED, LISTEN_FAILED, STATE_BROKEN; nothing of it runs then.
 */
export async function startEdge(settings: EdgeSettings, options: EdgeOptions): Promise<RunningEdge> {
  const undo = new Undo()
  try {
    return await compose(settings, options, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function compose(
  settings: EdgeSettings,
  { folder, log, onEvent }: EdgeOptions,
  undo: Undo,
): Promise<RunningEdge> {
  // State
  makeFolder(folder)
  const lock = lockFolder(folder)
  undo.add(() => lock.release())
  const ca = openCarrierCa(folder)
  const store = openStore(storePath(folder))
  undo.add(() => store.close())
  const generation = store.meta.nextGeneration()
  const { domain, https, graceMs, limits } = settings
  const hosts = dialHosts(settings, (settings.carrier ?? (https as Address)).host, ownAddresses())
  const observer = report(log, onEvent)

  // Tunnels and agents
  const registry = new Registry({
    store,
    settings,
    protocols: new Set(['http', 'tcp']),
    clock: REAL_CLOCK,
    probe: probeTcp,
    opened: observer.opened,
    closed: observer.closed,
  })
  undo.add(() => registry.close())
  const gatekeeper = new Gatekeeper({
    store,
    ca,
    registry,
    generation,
    software: `engawa-edge/${version()}`,
    graceMs,
    limits: limits.perAgent,
    addresses: () => store.meta.effective?.addresses ?? [],
    observer,
    clock: REAL_CLOCK,
  })
  // Agents log in again when the edge is back: nothing of theirs is gone.
  undo.add(() => gatekeeper.close('SESSION_CLOSED', 'the edge stops'))
  const door = new CarrierDoor({ gatekeeper, tls: ca.leaf, timeoutMs: limits.carriers.handshakeMs })
  const agents = new AgentListener({ door, limits: limits.carriers, log })
  undo.add(() => agents.close())

  // Listeners. A carrier that comes early waits until the edge knows its own face.
  const admission = new Admission({ table: registry, settings, log })
  const readiness = Promise.withResolvers<void>()
  const onCarrier = (socket: Parameters<AgentListener['take']>[0]): void => {
    void readiness.promise.then(() => agents.take(socket))
  }
  const http = await listening('--http', settings.http, startHttp({ address: settings.http, admission }))
  const visitors: RunningListener[] = [http]
  undo.add(() => http.close(0))
  const visitorsCa =
    https === 'off' ? undefined : openVisitorsCa(folder, { domain, addresses: ipsOf(hosts) }, new Date())
  const tls =
    https === 'off' || visitorsCa === undefined
      ? undefined
      : await listening(
          '--https',
          https,
          startTls({
            address: https,
            admission,
            certificates: new Certificates({
              table: registry,
              issuer: visitorsCa,
              domain,
              bareHosts: ipsOf(hosts),
            }),
            onCarrier,
          }),
        )
  if (tls !== undefined) {
    visitors.push(tls)
    undo.add(() => tls.close(0))
  }
  const { carrier: own } = settings
  const carriers = own && (await listening('--carrier', own, listenTcp(own, onCarrier)))
  undo.add(() => carriers?.close(0))
  const ports = startTcpPorts({ bind: settings.bind, admission })
  undo.add(() => ports.close(0))

  // Administration
  let ready: ReadyEvent | undefined
  let draining = false
  const office = new LiveOffice({
    store,
    pin: ca.pin,
    gatekeeper,
    table: registry,
    folder,
    generation,
    ready: () => ready,
    draining: () => draining,
  })
  const adminAddress = settings.admin === 'off' ? undefined : settings.admin
  const startingAdmin = startAdmin({ folder, address: adminAddress, office, log })
  const admin = await (adminAddress === undefined ? startingAdmin : listening('--admin', adminAddress, startingAdmin))
  undo.add(() => admin.close())

  // Ready
  const at = (
    address: Address | 'off' | undefined,
    listener: { readonly port: number } | undefined,
  ): Address | undefined =>
    address === 'off' || address === undefined || listener === undefined
      ? undefined
      : { ...address, port: listener.port }
  const real = {
    http: at(settings.http, http),
    https: at(https, tls),
    carrier: at(own, carriers) ?? at(https, tls),
    admin: admin.address,
  }
  const carrierPort = real.carrier?.port ?? 0
  store.meta.effective = effective(domain, hosts, carrierPort)
  registry.show(
    faceOf(settings, hosts, {
      http: http.port,
      https: visitorsCa && { port: tls?.port ?? 443, serves: visitorsCa.covers, trusted: () => false },
      ownPorts: Object.values(real).flatMap((address) => (address === undefined ? [] : [address.port])),
    }),
  )
  await ports.settled()
  readiness.resolve()
  ready = {
    event: 'ready',
    http: text(real.http),
    https: text(real.https),
    carrier: text(real.carrier),
    admin: text(real.admin),
    domain,
    version: version(),
  }
  log.info({ ...ready, generation, data: folder }, 'serving')
  onEvent(ready)

  const closeVisitors = async (ms: number): Promise<void> => {
    await Promise.all([...visitors.map((listener) => listener.close(ms)), ports.close(ms)])
  }
  return {
    ready,
    stop: async (drainMs, hurried) => {
      draining = true
      agents.close()
      gatekeeper.drain()
      await Promise.race([closeVisitors(drainMs), hurried].filter((wait) => wait !== undefined))
      gatekeeper.close('SESSION_CLOSED', 'the edge stops')
      await undo.run()
    },
  }
}

function faceOf(
  settings: EdgeSettings,
  hosts: readonly PublicHost[],
  real: Pick<Face, 'http' | 'https' | 'ownPorts'>,
): Face {
  const { domain, publicHosts } = settings
  const names = hosts.map(({ host }) => host)
  const shown = domain === 'localhost' && (publicHosts.length > 0 || nearest(names) === 'public')
  return { domain, host: shown ? (names[0] ?? domain) : domain, portPerHttp: shown, ...real }
}

/** Addresses that a certificate can name. */
function ipsOf(hosts: readonly PublicHost[]): string[] {
  return hosts.map(({ host }) => host).filter((host) => familyOf(host) !== 0)
}

function ownAddresses(): OwnAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, all]) =>
    (all ?? []).filter(({ internal }) => !internal).map(({ address }) => ({ interface: name, address })),
  )
}

function text(address: Address | undefined): string {
  return address === undefined ? 'off' : formatAddress(address)
}
