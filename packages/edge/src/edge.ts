import { resolve } from 'node:path'
import { familyOf } from '@engawa/shared/addresses'
import { REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { CarrierDoor } from '@engawa/shared/carrier/handshake-edge'
import { exposedFiles } from '@engawa/shared/folder'
import type { Protocol } from '@engawa/shared/wire/opening'
import type { Account } from './access/entry.ts'
import { openAccessLog } from './access/log.ts'
import { startAdmin } from './admin/listen.ts'
import { LiveOffice } from './admin/live.ts'
import { Admission } from './admit.ts'
import type { EdgeSettings } from './config.ts'
import type { EdgeEvent, ReadyEvent } from './events.ts'
import { Pages, readPages } from './forward/pages.ts'
import { SharedOffice } from './generation/office.ts'
import { ALONE, type Peers } from './generation/peers.ts'
import { type CarrierCa, openCarrierCa } from './identity/carrier-ca.ts'
import { Gatekeeper } from './identity/gatekeeper.ts'
import { openVisitorsCa } from './identity/visitors-ca.ts'
import { AgentListener } from './listen/agents.ts'
import { startListeners } from './listen/listeners.ts'
import { listening } from './listen/problem.ts'
import type { Logger } from './log.ts'
import { EdgeFigures } from './metrics/figures.ts'
import { faceOf, texts } from './outside.ts'
import { dialHosts, effective, ownAddresses } from './reach.ts'
import { adopt, type ReloadReport } from './reload.ts'
import { report } from './report.ts'
import { isPassed } from './route/route.ts'
import { storePath } from './state.ts'
import { openStore, type Store } from './store/store.ts'
import { openPublicTls } from './tls/open.ts'
import { issuerOf } from './tls/settings.ts'
import { publicWeb } from './tls/web.ts'
import { probePorts } from './tunnel/probe.ts'
import { Registry } from './tunnel/registry.ts'
import { Undo } from './undo.ts'
import { version } from './version.ts'

/** How long a process that has been relieved waits for its agents to go over, ms; one that is away comes by itself. */
const MOVE_MS = 10_000
const STOPPING = 'the edge stops'

export interface EdgeOptions {
  /** The data folder; made where it is not there. */
  readonly folder: string
  readonly log: Logger
  readonly onEvent: (event: EdgeEvent) => void
  /** Carriers without TLS: for the bench alone, no flag reaches it. */
  readonly plainCarriers?: boolean
  /** HTTP/1.1 is read by Node's parser alone: for tests, no flag reaches it. */
  readonly nodeHttp?: boolean
  /** The other processes of this edge; without a front there are none. */
  readonly peers?: Peers
  /** Reads the configuration anew and takes up what can be taken up. Throws CONFIG_INVALID. */
  readonly reload?: () => ReloadReport
}

export interface RunningEdge {
  readonly ready: ReadyEvent
  /** Takes nothing new, waits at most `drainMs` (or until `hurried`) for what runs, then ends every session. */
  stop(drainMs: number, hurried?: Promise<unknown>): Promise<void>
  /** The access log has been moved away: the next line goes to a new file. */
  reopenLogs(): void
  /** Takes up what can be taken up of a changed configuration. Throws CONFIG_INVALID; nothing has changed then. */
  reload(fresh: EdgeSettings): ReloadReport
  /** False once another process has taken over. */
  readonly serves: boolean
  /** Resolves when another process has taken over and nothing runs here any more: `stop` then. */
  readonly relieved: Promise<void>
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
  const { folder, log, onEvent, plainCarriers = false, nodeHttp = false, peers = ALONE } = options
  const leave = await peers.enter(folder)
  undo.add(leave)
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
    peers,
    leased: () => wake.certificates?.(),
  })
  const { handshakeMs: timeoutMs } = settings.limits.carriers
  const door = new CarrierDoor({ gatekeeper, tls: plainCarriers ? 'plain' : ca.leaf, timeoutMs })
  // A carrier that comes early waits until the edge knows how it looks from outside.
  const readiness = Promise.withResolvers<void>()
  const { carriers } = settings.limits
  const agents = new AgentListener({ door, limits: carriers, log, ready: readiness.promise, others: peers })
  undo.add(() => agents.close())
  const addresses = hosts.map(({ host }) => host).filter((host) => familyOf(host) !== 0)
  const visitorsCa = https === 'off' ? undefined : openVisitorsCa(folder, { domain, addresses }, new Date())
  const pages = pagesOf(settings, folder)
  const access = openAccessLog(settings.accessLog, { folder, log, stderr: (line) => process.stderr.write(line) })
  undo.add(() => access.close())
  const publicTls = openPublicTls({
    settings,
    folder,
    store,
    tunnels: () => registry.all(),
    isPassed: (host) => isPassed(registry, host),
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
  const { refused } = figures
  const admission = new Admission({ table: registry, settings, nodeHttp, log, account, refused, pages, publicWeb: web })
  const turn = Promise.withResolvers<void>()
  const listeners = await startListeners({
    settings,
    admission,
    visitorsCa,
    publicTls,
    hosts,
    onCarrier: (socket, since, serverName) => agents.take(socket, since, serverName),
    source: peers.sockets,
    openUdp: turn.promise,
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
  const own = new LiveOffice({
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
    reload: options.reload,
  })
  const office = new SharedOffice(own, peers)
  const address = adminAddress === 'off' ? undefined : adminAddress
  const starting = startAdmin({ folder, address, office, log, source: peers.sockets })
  const admin = await listening('--admin', address, starting)
  undo.add(() => admin.close())

  const { http, carrier } = listeners
  const real = { http, https: listeners.https, carrier, admin: admin.address }
  httpsPort = real.https?.port
  registry.show(faceOf(settings, hosts, real, visitorsCa && { own: visitorsCa, publicTls, table: registry }))
  await listeners.settled('tcp')
  const relieved = Promise.withResolvers<void>()
  await peers.stand(generation, {
    handOver: async (to) => {
      draining = true
      registry.retire()
      publicTls.close()
      const left = listeners.closeVisitors(settings.handOverDrainMs, { gently: true })
      listeners.closeCarriers()
      admin.retire()
      gatekeeper.drain(to)
      log.info({ to, drainMs: settings.handOverDrainMs }, 'another process has taken over; this one finishes what runs')
      const moved = gatekeeper.moved(MOVE_MS)
      void Promise.all([left, moved])
        .then(() => admin.answered())
        .then(() => relieved.resolve())
    },
    take: (socket, since, serverName) => agents.take(socket, since, serverName),
    heard: (news) => gatekeeper.heard(news),
    answer: (question) =>
      question.question === 'instances' ? gatekeeper.instancesOf(question.agent) : own[question.question](),
  })
  // What the former process has bound or let go of since this one began.
  registry.refresh()
  turn.resolve()
  await listeners.settled('udp')
  store.meta.effective = { ...effective(domain, hosts, carrier?.port ?? 0), ...issuerOf(settings.tls) }
  admin.open()
  peers.serve()
  readiness.resolve()
  wake.certificates = () => publicTls.look()
  wake.certificates()
  ready = { event: 'ready', ...texts(real), domain, version: version() }
  log.info({ ...ready, generation, data: folder }, 'serving')
  onEvent(ready)
  return {
    ready,
    reopenLogs: () => access.reopen(),
    get serves() {
      return !registry.retired
    },
    relieved: relieved.promise,
    reload: (fresh) => {
      const renewed = pagesOf(fresh, folder)
      const outcome = adopt(settings, fresh)
      admission.renew(renewed)
      log.info({ ...outcome }, 'the configuration was read again')
      return outcome
    },
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

function pagesOf({ pages }: EdgeSettings, folder: string): Pages {
  return pages === undefined ? new Pages() : readPages(resolve(folder, pages))
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
  readonly peers: Peers
}

/** Who is published where, and who gets in. */
function composeSessions(
  settings: EdgeSettings,
  { store, ca, generation, log, onEvent, undo, figures, leased, peers }: SessionParts,
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
    others: peers,
  })
  // Agents log in again when the edge is back: nothing of theirs is gone.
  undo.add(() => gatekeeper.close('SESSION_CLOSED', STOPPING))
  return { registry, gatekeeper }
}
