import { isIP } from 'node:net'
import { type Address, formatHost, parseAddress, parsePublicHost } from '@engawa/shared/addresses'
import { parsedText, readConfig } from '@engawa/shared/config'
import { EngawaError } from '@engawa/shared/errors'
import { parseEdgeDomain } from '@engawa/shared/names'
import { type PortRange, parsePortRanges } from '@engawa/shared/ports'
import { parseDuration, parseWithinDay } from '@engawa/shared/quantities'
import { type Language, quoted, told } from '@engawa/shared/say'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import type { AccessLogSettings } from './access/log.ts'
import { type EdgeLimits, LIMITS } from './limits.ts'
import { TLS, type TlsSettings, tlsSettings } from './tls/settings.ts'

export interface PublicHost {
  readonly host: string
  readonly port: number | undefined
}

/** All that an edge can be told. Every key is a flag of `edge run` and a key of edge.yaml, limits, proxies and the access log only the latter. contract.md */
export interface EdgeSettings {
  readonly domain: string
  readonly http: Address
  readonly https: Address | 'off'
  /** Undefined: carriers come in on the https port, told apart by SNI. */
  readonly carrier: Address | undefined
  /** As given; empty: the edge finds out itself. */
  readonly publicHosts: readonly PublicHost[]
  readonly admin: Address | 'off'
  /** What tunnels may ask for, merged. */
  readonly tcpPorts: readonly PortRange[]
  readonly udpPorts: readonly PortRange[]
  /** Where tunnel ports listen; empty: everywhere. */
  readonly bind: string
  /** How long a session lives without a carrier. */
  readonly graceMs: number
  /** How long a stop waits for open streams. */
  readonly drainMs: number
  /** How long an upgraded edge finishes what runs on its former process. */
  readonly handOverDrainMs: number
  /** CIDRs whose `X-Forwarded-*` is believed. */
  readonly trustedProxies: readonly string[]
  /** A folder of pages in place of the edge's own, relative to the data folder. */
  readonly pages: string | undefined
  /** Undefined: no access log. */
  readonly accessLog: AccessLogSettings | undefined
  /** Certificates that browsers trust. */
  readonly tls: TlsSettings
  /** Visitors over plain HTTP are sent to HTTPS where browsers trust its certificate. */
  readonly httpsRedirect: boolean
  /** How long browsers are to use HTTPS alone there, ms; undefined: not said. */
  readonly hstsMs: number | undefined
  readonly limits: EdgeLimits
}

/** Flags of `edge run` as typed. */
export interface EdgeFlags {
  readonly domain?: string | undefined
  readonly http?: string | undefined
  readonly https?: string | undefined
  readonly carrier?: string | undefined
  readonly publicHost?: readonly string[] | undefined
  readonly admin?: string | undefined
  readonly tcpPorts?: string | undefined
  readonly udpPorts?: string | undefined
  readonly bind?: string | undefined
  readonly grace?: string | undefined
  readonly drain?: string | undefined
  readonly handOverDrain?: string | undefined
}

export interface EdgeConfigSource {
  readonly flags: EdgeFlags
  /** edge.yaml; undefined where there is none. */
  readonly file?: { readonly path: string; readonly text: string } | undefined
  readonly language: Language
  /** Whether this process may listen on a port below 1024; it decides between 80, 443 and 8080, 8443. */
  readonly mayBindLow: boolean
}

const DEFAULT_PORTS: readonly PortRange[] = [[1024, 65_535]]
const DEFAULT_ADMIN: Address = { host: '127.0.0.1', port: 7400 }
const DEFAULT_GRACE_MS = 120_000
const DEFAULT_DRAIN_MS = 30_000
const DEFAULT_HANDOVER_DRAIN_MS = 600_000

const range = z.union([
  z.int().min(1).max(65_535).transform(String).pipe(parsedText(parsePortRanges)),
  parsedText(parsePortRanges),
])
const hosts = z.union([
  parsedText(parsePublicHost).transform((host) => [host]),
  z.array(parsedText(parsePublicHost)).min(1).max(16),
])

/** edge.yaml. */
export const EDGE_FILE = z.strictObject({
  domain: parsedText(parseEdgeDomain).optional(),
  http: parsedText(parseAddress).optional(),
  https: parsedText(parseOr('off', parseAddress)).optional(),
  carrier: parsedText(parseAddress).optional(),
  'public-host': hosts.optional(),
  admin: parsedText(parseOr('off', parseAddress)).optional(),
  'tcp-ports': range.optional(),
  'udp-ports': range.optional(),
  bind: parsedText(parseBind).optional(),
  // Each session away keeps its visitors' bytes.
  grace: parsedText(parseWithinDay).optional(),
  drain: parsedText(parseWithinDay).optional(),
  'handover-drain': parsedText(parseWithinDay).optional(),
  trusted_proxies: z.array(parsedText(parseCidr)).max(1000).optional(),
  pages: z.string().min(1).optional(),
  access_log: z
    .strictObject({ file: z.string().min(1), format: z.enum(['json', 'combined']).default('json') })
    .optional(),
  tls: TLS,
  https_redirect: z.boolean().default(true),
  hsts: parsedText(parseOr('off', parseDuration)).default('off'),
  limits: LIMITS,
})

/**
 * Flags win over the file, the file over defaults.
 * Throws CONFIG_INVALID or FLAG_INVALID, in the language asked for.
 */
export function edgeSettings({ flags, file, language, mayBindLow }: EdgeConfigSource): EdgeSettings {
  const read = readConfig({ file: file?.path ?? 'edge.yaml', text: file?.text ?? '', language }, EDGE_FILE)
  const domain = flag('domain', flags.domain, parseEdgeDomain) ?? read.domain ?? 'localhost'
  const http = flag('http', flags.http, parseAddress) ?? read.http ?? { host: '', port: mayBindLow ? 80 : 8080 }
  const https = flag('https', flags.https, parseOr('off', parseAddress)) ??
    read.https ?? { host: '', port: mayBindLow ? 443 : 8443 }
  const settings: EdgeSettings = {
    domain,
    http,
    https,
    carrier: flag('carrier', flags.carrier, parseAddress) ?? read.carrier,
    publicHosts:
      flags.publicHost
        ?.map((text) => flag('public-host', text, parsePublicHost))
        .filter((host) => host !== undefined) ??
      read['public-host'] ??
      [],
    admin: flag('admin', flags.admin, parseOr('off', parseAddress)) ?? read.admin ?? DEFAULT_ADMIN,
    tcpPorts: flag('tcp-ports', flags.tcpPorts, parsePortRanges) ?? read['tcp-ports'] ?? DEFAULT_PORTS,
    udpPorts: flag('udp-ports', flags.udpPorts, parsePortRanges) ?? read['udp-ports'] ?? DEFAULT_PORTS,
    bind: flag('bind', flags.bind, parseBind) ?? read.bind ?? '',
    graceMs: flag('grace', flags.grace, parseWithinDay) ?? read.grace ?? DEFAULT_GRACE_MS,
    drainMs: flag('drain', flags.drain, parseWithinDay) ?? read.drain ?? DEFAULT_DRAIN_MS,
    handOverDrainMs:
      flag('handover-drain', flags.handOverDrain, parseWithinDay) ??
      read['handover-drain'] ??
      DEFAULT_HANDOVER_DRAIN_MS,
    trustedProxies: read.trusted_proxies ?? [],
    pages: read.pages,
    accessLog: read.access_log,
    tls: tlsSettings(read.tls, { domain, listens: [http, https] }),
    httpsRedirect: read.https_redirect,
    hstsMs: read.hsts === 'off' ? undefined : read.hsts,
    limits: read.limits,
  }
  checkTogether(settings)
  return settings
}

function flag<Value>(name: string, text: string | undefined, parse: (text: string) => Value): Value | undefined {
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch (cause) {
    const place = `--${name}: `
    throw new EngawaError('FLAG_INVALID', place + told(cause, 'en'), { cause, ja: place + told(cause, 'ja') })
  }
}

function checkTogether({ https, carrier, http }: EdgeSettings): void {
  if (https === 'off' && carrier === undefined) {
    throw new EngawaError('FLAG_INVALID', 'with --https off, agents need --carrier ADDR, for example --carrier :7443', {
      ja: '--https off のときは、エージェントの接続先を --carrier ADDR で指定してください (例: --carrier :7443)',
    })
  }
  const listeners: [name: string, address: Address][] = [['--http', http]]
  if (https !== 'off') listeners.push(['--https', https])
  if (carrier !== undefined) listeners.push(['--carrier', carrier])
  for (const [index, [name, { host, port }]] of listeners.entries()) {
    const other = listeners.slice(0, index).find(([, it]) => it.port === port && port !== 0 && it.host === host)
    if (other === undefined) continue
    throw new EngawaError('FLAG_INVALID', `${other[0]} and ${name} are the same address, ${formatHost(host)}:${port}`, {
      ja: `${other[0]} と ${name} が同じアドレス ${formatHost(host)}:${port} です`,
    })
  }
}

function parseOr<Word extends string, Value>(
  word: Word,
  parse: (text: string) => Value,
): (text: string) => Word | Value {
  return (text) => (text === word ? word : parse(text))
}

function parseBind(text: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0 || bare === 'localhost') return bare
  throw new EngawaError('ADDRESS_INVALID', `${quoted(text)} is no address of this machine; write an IP address`, {
    ja: `${quoted(text)} はこのマシンのアドレスではありません。IP アドレスで書いてください`,
  })
}

function parseCidr(text: string): string {
  try {
    const [address, bits] = ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${isIP(text) === 6 ? 128 : 32}`)
    return `${address.toString()}/${bits}`
  } catch (cause) {
    throw new EngawaError('ADDRESS_INVALID', `${quoted(text)} is no network; write 10.0.0.0/8 or 2001:db8::/32`, {
      cause,
      ja: `${quoted(text)} はネットワークではありません。10.0.0.0/8 や 2001:db8::/32 のように書いてください`,
    })
  }
}
