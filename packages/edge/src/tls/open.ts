import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import type { Logger } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { Ca, type Solver } from './acme/ca.ts'
import { Challenges } from './acme/challenges.ts'
import { cloudflareProvider, dnsSolver, hookProvider } from './acme/dns.ts'
import { Keeper, type Kept } from './acme/keeper.ts'
import type { PaceLimits } from './acme/pace.ts'
import { isWanted, plan, type Subject } from './acme/plan.ts'
import { watchFiles } from './files.ts'
import { PublicCertificates } from './publics.ts'
import type { AcmeSettings, DnsSettings, TlsSettings } from './settings.ts'

export interface PublicTlsOptions {
  readonly settings: {
    readonly tls: TlsSettings
    readonly domain: string
    readonly limits: { readonly certificates: PaceLimits }
  }
  readonly folder: string
  readonly store: Store
  readonly tunnels: () => readonly Pick<Tunnel, 'protocol' | 'hosts'>[]
  /** TLS of this name is passed through unopened. */
  readonly isPassed: (host: string) => boolean
  readonly log: Logger
  /** There are other certificates than before. */
  readonly changed: () => void
}

/** Certificates that browsers trust: from files, and from a CA. */
export interface PublicTls {
  readonly publics: PublicCertificates
  readonly challenges: Challenges
  /** Visitors of this name are shown a certificate that browsers trust, by the edge. */
  trusts(host: string): boolean
  /** There is none for this name of a tunnel yet; it is ordered. */
  awaits(host: string): boolean
  /** Names may have been leased. */
  look(): void
  kept(): readonly Kept[]
  fileProblems(): readonly { readonly name: string; readonly problem: string }[]
  /** Begins no order any more, and takes no files. */
  close(): void
}

/** Throws CONFIG_INVALID for files that are not there or are wrong. */
export function openPublicTls(options: PublicTlsOptions): PublicTls {
  const { settings, folder, log, changed, isPassed } = options
  const publics = new PublicCertificates(Date.now)
  const files = watchFiles(settings.tls.files, { folder, publics, log, changed })
  let keeper: { readonly keeper: Keeper; readonly close: () => void } | undefined
  // A wildcard may be good for a passed-through name, too; it is not shown for it.
  const challenges = new Challenges(
    (host) => !isPassed(host) && (publics.find(host) !== undefined || keeper?.keeper.keeps(host) === true),
  )
  const { acme } = settings.tls
  if (acme !== undefined) keeper = openKeeper(acme, { ...options, publics, challenges })
  return {
    publics,
    challenges,
    trusts: (host) => !isPassed(host) && publics.trusts(host),
    awaits: (host) => !isPassed(host) && publics.find(host) === undefined && isWanted(host, settings.tls),
    look: () => keeper?.keeper.look(),
    kept: () => keeper?.keeper.kept() ?? [],
    fileProblems: () => files.states.flatMap(({ name, problem }) => (problem === undefined ? [] : [{ name, problem }])),
    close: () => {
      keeper?.close()
      files.close()
    },
  }
}

function openKeeper(
  acme: AcmeSettings,
  {
    settings,
    folder,
    store,
    tunnels,
    isPassed,
    log,
    changed,
    publics,
    challenges,
  }: PublicTlsOptions & { publics: PublicCertificates; challenges: Challenges },
): { keeper: Keeper; close: () => void } {
  const { domain, tls, limits } = settings
  const { directory, email, caFile, dns } = acme
  const ca = new Ca({
    directory,
    email,
    roots: caFile === undefined ? undefined : readRoots(resolve(folder, caFile)),
    accounts: store.accounts,
  })
  const solve: Record<string, Solver | undefined> = {
    'http-01': challenges.http,
    'tls-alpn-01': challenges.tls,
    'dns-01': dns && dnsSolver(providerOf(dns, folder), dns.waitMs),
  }
  const keeper = new Keeper({
    ca,
    directory,
    rows: store.certificates,
    wanted: () => {
      const hosts = tunnels().flatMap((it) => (it.protocol === 'http' ? it.hosts : []))
      return plan({ settings: tls, domain, hosts: hosts.filter((host) => !isPassed(host)) })
    },
    solvers: (subject: Subject, failures: number) => {
      const wild = subject.some((name) => name.startsWith('*.'))
      const ways = wild ? (['dns-01'] as const) : acme.challenges
      // Each failure tries the next way first: port 80 may be closed where 443 is open.
      const turned = ways.map((_, index) => ways[(index + failures) % ways.length] ?? 'http-01')
      return turned.flatMap((way) => solve[way] ?? [])
    },
    publics,
    limits: limits.certificates,
    clock: REAL_CLOCK,
    wall: Date.now,
    log,
    changed,
  })
  return {
    keeper,
    close: () => {
      keeper.close()
      ca.close()
    },
  }
}

function providerOf({ hook, cloudflare }: DnsSettings, folder: string): ReturnType<typeof hookProvider> {
  if (cloudflare !== undefined)
    return cloudflareProvider({ ...cloudflare, tokenFile: resolve(folder, cloudflare.tokenFile) })
  return hookProvider(resolve(folder, hook ?? ''))
}

function readRoots(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = `tls.acme.ca_file: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new EngawaError('CONFIG_INVALID', why, { cause, ja: why })
  }
}
