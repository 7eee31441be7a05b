import type { EdgeSettings } from './config.ts'

/** What a changed edge.yaml did to a running edge, by keys of the file. */
export interface ReloadReport {
  readonly applied: readonly string[]
  /** Changed, but in force only after `edge upgrade`, which cuts nobody off either. */
  readonly later: readonly string[]
}

/** Fields that are looked up each time they are needed. */
const AT_ONCE: ReadonlySet<string> = new Set([
  'trustedProxies',
  'pages',
  'tcpPorts',
  'udpPorts',
  'drainMs',
  'handOverDrainMs',
])
/** Limits that servers, timers and windows have been made with. */
const LIMITS_LATER: ReadonlySet<string> = new Set([
  'limits.handshakeMs',
  'limits.unpeekedSockets',
  'limits.requestHeadMs',
  'limits.requestHeadBytes',
  'limits.keepAliveIdleMs',
  'limits.carriers.handshakeMs',
])
/** As the file names them, where that is another name. */
const KEYS: Readonly<Record<string, string>> = {
  publicHosts: 'public-host',
  tcpPorts: 'tcp-ports',
  udpPorts: 'udp-ports',
  graceMs: 'grace',
  drainMs: 'drain',
  handOverDrainMs: 'handover-drain',
  trustedProxies: 'trusted_proxies',
  accessLog: 'access_log',
}

/** Takes over from `fresh` what a running edge can take, into the very objects that its parts hold. */
export function adopt(settings: EdgeSettings, fresh: EdgeSettings): ReloadReport {
  const applied: string[] = []
  const later: string[] = []
  const { limits, ...others } = fresh
  for (const [field, value] of Object.entries(others)) {
    if (same(value, settings[field as keyof EdgeSettings])) continue
    const key = KEYS[field] ?? field
    if (!AT_ONCE.has(field)) later.push(key)
    else {
      Object.assign(settings, { [field]: value })
      applied.push(key)
    }
  }
  adoptLimits(settings.limits, limits, { path: 'limits', applied, later })
  return { applied, later }
}

function adoptLimits(
  present: object,
  fresh: object,
  { path, applied, later }: { path: string; applied: string[]; later: string[] },
): void {
  for (const [name, value] of Object.entries(fresh) as [string, unknown][]) {
    const before = (present as Record<string, unknown>)[name]
    const key = `${path}.${name}`
    if (same(value, before)) continue
    if (typeof value === 'object' && value !== null) adoptLimits(before as object, value, { path: key, applied, later })
    else if (LIMITS_LATER.has(key)) later.push(key)
    else {
      Object.assign(present, { [name]: value })
      applied.push(key)
    }
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
