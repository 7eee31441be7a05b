import { resolve } from 'node:path'
import { type Address, familyOf, formatAddress } from '@engawa/shared/addresses'
import { REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { CarrierDoor } from '@engawa/shared/carrier/handshake-edge'
import { exposedFiles, makeFolder } from '@engawa/shared/folder'
import { lockFolder } from '@engawa/shared/lock'
import type { Protocol } from '@engawa/shared/wire/opening'
import type { Account } from './access/entry.ts'
import { openAccessLog } from './access/log.ts'
import { startAdmin } from './admin/listen.ts'
import { LiveOffice } from './admin/live.ts'
import { Admission } from './admit.ts'
import type { EdgeSettings, PublicHost } from './config.ts'
import type { EdgeEvent, ReadyEvent } from './events.ts'
import { Pages, readPages } from './forward/pages.ts'
import { type CarrierCa, openCarrierCa } from './identity/carrier-ca.ts'
import { Gatekeeper } from './identity/gatekeeper.ts'
import { openVisitorsCa, type VisitorsCa } from './identity/visitors-ca.ts'
import { AgentListener } from './listen/agents.ts'
import { startListeners } from './listen/listeners.ts'
import { listening } from './listen/problem.ts'
import type { Logger } from './log.ts'
import { EdgeFigures } from './metrics/figures.ts'
import { dialHosts, effective, nearest, ownAddresses } from './reach.ts'
import { report } from './report.ts'
import { storePath } from './state.ts'
import { openStore, type Store } from './store/store.ts'
import { openPublicTls } from './tls/open.ts'
import type { PublicCertificates } from './tls/publics.ts'
import { issuerOf } from './tls/settings.ts'
import { publicWeb } from './tls/web.ts'
import type { Face } from './tunnel/face.ts'
import { probePorts } from './tunnel/probe.ts'
import { Registry } from './tunnel/registry.ts'
import { Undo } from './undo.ts'
import { version } from './version.ts'

const STOPPING = 'the edge stops'

export interface EdgeOptions {
  /** The data folder; made where it is not there. */
  readonly folder: string
  readonly log: Logger
  readonly onEvent: (event: EdgeEvent) => void
  /** Carriers without TLS: for the bench alone, no flag reaches it. */
  readonly plainCarriers?: boolean
}

export interface RunningEdge {
  readonly ready: ReadyEvent
  /** Takes nothing new, waits at most `drainMs` (or until `hurried`) for what runs, then ends every session. */
  stop(drainMs: number, hurried?: Promise<unknown>): Promise<void>
  /** The access log has been moved away: the next line goes to a new file. */
  reopenLogs(): void
}

/** Files of the data folder that nobody else may read; the admin token is seen to where it is read. */
const SECRETS = ['carrier-ca.pem', 'visitors-ca.pem', 'edge.db', 'edge.db-wal']

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

async function compose(settings: EdgeSettings, options: EdgeOptions, undo: Undo): Promise<RunningEdge> {
  const { folder, log, onEvent, plainCarriers = false } = options
  makeFolder(folder)
  const lock = lockFolder(folder)
  undo.add(() => lock.release())
  const exposed = exposedFiles(folder, SECRETS)
  if (exposed.length > 0) log.warn({ files: exposed }, 'others may read these secrets: chmod 600 them')
  const ca = openCarrierCa(folder)
  const store = openStore(storePath(folder))
  undo.add(() => store.close())
  const generation = store.meta.nextGeneration()
  const { domain, https, admin: adminAddress } = settings
  const carrierHost = settings.carrier?.host ?? (https === 'off' ? '' : https.host)
  const hosts = dialHosts(settings, carrierHost, ownAddresses())

  const figures = new EdgeFigures()
  // Certificates come once everything listens.
  const wake: { certificates?: () => void } = {}
  const { registry, gatekeeper } = composeSessions(settings, {
    store,
    ca,
    generation,
    log,
    onEvent,
    undo,
    figures,
    leased: () => wake.certificates?.(),
  })
  const { handshakeMs: timeoutMs } = settings.limits.carriers
  const door = new CarrierDoor({ gatekeeper, tls: plainCarriers ? 'plain' : ca.leaf, timeoutMs })
  // A carrier that comes early waits until the edge knows how it looks from outside.
  const readiness = Promise.withResolvers<void>()
  const agents = new AgentListener({ door, limits: settings.limits.carriers, log, ready: readiness.promise })
  undo.add(() => agents.close())
  const addresses = hosts.map(({ host }) => host).filter((host) => familyOf(host) !== 0)
  const visitorsCa = https === 'off' ? undefined : openVisitorsCa(folder, { domain, addresses }, new Date())
  const pages = settings.pages === undefined ? new Pages() : readPages(resolve(folder, settings.pages))
  const access = openAccessLog(settings.accessLog, { folder, log, stderr: (line) => process.stderr.write(line) })
  undo.add(() => access.close())
  const publicTls = openPublicTls({
    settings,
    folder,
    store,
    tunnels: () => registry.all(),
    log,
    changed: () => registry.retell(),
  })
  undo.add(() => publicTls.close())
  let httpsPort: number | undefined
  const web = publicWeb(publicTls, settings, () => httpsPort)
  const account: Account = (entry) => {
    figures.account(entry)
    access.account(entry)
  }
  const admission = new Admission({ table: registry, settings, log, account, pages, publicWeb: web })
  const listeners = await startListeners({
    settings,
    admission,
    visitorsCa,
    publicTls,
    hosts,
    onCarrier: (socket, since) => agents.take(socket, since),
    undo,
  })

  let ready: ReadyEvent | undefined
  let draining = false
  figures.read({
    sessions: () => gatekeeper.sessions,
    table: registry,
    known: () => store.agents.all().filter(({ key }) => key !== undefined).length,
    visitors: () => admission.door.total,
    certificates: () =>
      new Map([['carrier', ca.certificate], ...(visitorsCa ? [['visitors', visitorsCa.certificate] as const] : [])]),
    draining: () => draining,
  })
  const office = new LiveOffice({
    figures,
    store,
    pin: ca.pin,
    gatekeeper,
    table: registry,
    folder,
    generation,
    certificates: publicTls,
    ready: () => ready,
    draining: () => draining,
  })
  const address = adminAddress === 'off' ? undefined : adminAddress
  const admin = await listening('--admin', address, startAdmin({ folder, address, office, log }))
  undo.add(() => admin.close())

  const { http, carrier } = listeners
  store.meta.effective = { ...effective(domain, hosts, carrier?.port ?? 0), ...issuerOf(settings.tls) }
  const real = { http, https: listeners.https, carrier, admin: admin.address }
  httpsPort = real.https?.port
  registry.show(faceOf(settings, hosts, real, visitorsCa && { own: visitorsCa, publics: publicTls.publics }))
  await listeners.settled()
  readiness.resolve()
  wake.certificates = () => publicTls.look()
  wake.certificates()
  ready = { event: 'ready', ...texts(real), domain, version: version() }
  log.info({ ...ready, generation, data: folder }, 'serving')
  onEvent(ready)
  return {
    ready,
    reopenLogs: () => access.reopen(),
    stop: async (drainMs, hurried) => {
      draining = true
      publicTls.close()
      agents.close()
      gatekeeper.drain()
      const drained = listeners.closeVisitors(drainMs)
      await (hurried === undefined ? drained : Promise.race([drained, hurried]))
      // Before the listeners go: agents are to hear why.
      gatekeeper.close('SESSION_CLOSED', STOPPING)
      await undo.run()
    },
  }
}

interface SessionParts {
  readonly store: Store
  readonly ca: CarrierCa
  readonly generation: number
  readonly log: Logger
  readonly onEvent: (event: EdgeEvent) => void
  readonly undo: Undo
  readonly figures: EdgeFigures
  /** A name may have been leased, or let go. */
  readonly leased: () => void
}

/** Who is published where, and who gets in. */
function composeSessions(
  settings: EdgeSettings,
  { store, ca, generation, log, onEvent, undo, figures, leased }: SessionParts,
): { registry: Registry; gatekeeper: Gatekeeper } {
  const observer = figures.watching(report(log, onEvent))
  const registry = new Registry({
    store,
    settings,
    protocols: new Set<Protocol>(['http', 'tcp', 'udp', ...(settings.https === 'off' ? [] : (['tls'] as const))]),
    clock: REAL_CLOCK,
    probe: probePorts,
    opened: (tunnel) => {
      observer.opened(tunnel)
      leased()
    },
    closed: (tunnel) => {
      observer.closed(tunnel)
      leased()
    },
  })
  undo.add(() => registry.close())
  const gatekeeper = new Gatekeeper({
    store,
    ca,
    registry,
    generation,
    software: `engawa-edge/${version()}`,
    graceMs: settings.graceMs,
    limits: settings.limits.perAgent,
    addresses: () => store.meta.effective?.addresses ?? [],
    observer,
    clock: REAL_CLOCK,
  })
  // Agents log in again when the edge is back: nothing of theirs is gone.
  undo.add(() => gatekeeper.close('SESSION_CLOSED', STOPPING))
  return { registry, gatekeeper }
}

type Real = Readonly<Record<'http' | 'https' | 'carrier' | 'admin', Address | undefined>>

interface Authorities {
  readonly own: VisitorsCa
  readonly publics: PublicCertificates
}

function faceOf(settings: EdgeSettings, hosts: readonly PublicHost[], real: Real, by: Authorities | undefined): Face {
  const { domain, publicHosts } = settings
  const names = hosts.map(({ host }) => host)
  const shown = domain === 'localhost' && (publicHosts.length > 0 || nearest(names) === 'public')
  const https = by &&
    real.https && {
      port: real.https.port,
      serves: (host: string) => by.own.covers(host) || by.publics.find(host) !== undefined,
      trusted: (host: string) => by.publics.trusts(host),
    }
  return {
    domain,
    http: real.http?.port ?? 80,
    https,
    host: shown ? (names[0] ?? domain) : domain,
    portPerHttp: shown,
    ownPorts: Object.values(real).flatMap((address) => (address === undefined ? [] : [address.port])),
  }
}

function texts({ http, https, carrier, admin }: Real): Record<keyof Real, string> {
  return { http: text(http), https: text(https), carrier: text(carrier), admin: text(admin) }
}

function text(address: Address | undefined): string {
  return address === undefined ? 'off' : formatAddress(address)
}
