import { type Address, familyOf } from '@engawa/shared/addresses'
import { parsedText } from '@engawa/shared/config'
import { EngawaError } from '@engawa/shared/errors'
import { parseDomain, parseEdgeDomain } from '@engawa/shared/names'
import { parseDuration } from '@engawa/shared/quantities'
import { quoted } from '@engawa/shared/say'
import { z } from 'zod'
import { CLOUDFLARE } from './acme/dns.ts'

export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01'

export interface DnsSettings {
  /** A program, or Cloudflare's API. */
  readonly hook: string | undefined
  readonly cloudflare: { readonly tokenFile: string; readonly api: string } | undefined
  /** What a record needs to be seen everywhere. */
  readonly waitMs: number
}

export interface AcmeSettings {
  readonly email: string | undefined
  readonly directory: string
  /** PEM file of authorities that the CA's own HTTPS is trusted by besides the usual ones. */
  readonly caFile: string | undefined
  /** The ways to prove a name, the best first. */
  readonly challenges: readonly ChallengeType[]
  readonly dns: DnsSettings | undefined
}

export interface CertificateFile {
  /** A name, or `*.domain` for all just below it. */
  readonly name: string
  readonly cert: string
  readonly key: string
}

export interface TlsSettings {
  /** Undefined: no certificate is ordered. */
  readonly acme: AcmeSettings | undefined
  readonly files: readonly CertificateFile[]
}

export const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory'
export const LETS_ENCRYPT_STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory'

const USUAL_WAIT_MS = 10_000
const path = z.string().min(1)
const url = z.url({ protocol: /^https?$/ })

const DNS = z
  .strictObject({
    hook: path.optional(),
    cloudflare: z.strictObject({ token_file: path, api: url.default(CLOUDFLARE) }).optional(),
    wait: parsedText(parseDuration).optional(),
  })
  .refine(({ hook, cloudflare }) => (hook === undefined) !== (cloudflare === undefined), {
    params: { ja: 'hook か cloudflare のどちらか一方を書いてください' },
    message: 'write either hook or cloudflare',
  })

/** `tls` of edge.yaml. */
export const TLS = z
  .strictObject({
    acme: z
      .strictObject({
        off: z.boolean().default(false),
        staging: z.boolean().default(false),
        email: z.email().optional(),
        directory: z.url({ protocol: /^https$/ }).optional(),
        ca_file: path.optional(),
        challenges: z
          .array(z.enum(['http-01', 'tls-alpn-01', 'dns-01']))
          .min(1)
          .max(3)
          .default(['http-01', 'tls-alpn-01']),
        dns: DNS.optional(),
      })
      .refine(({ staging, directory }) => !staging || directory === undefined, {
        params: { ja: 'staging と directory は一緒に書けません' },
        message: 'staging and directory cannot both be given',
      })
      .refine(({ challenges, dns }) => dns !== undefined || !challenges.includes('dns-01'), {
        params: { ja: 'dns-01 には dns の設定が必要です' },
        message: 'dns-01 needs dns',
      })
      .optional(),
    files: z
      .array(z.strictObject({ name: parsedText(parsePattern), cert: path, key: path }))
      .max(1000)
      .default([]),
  })
  .prefault({})

/**
 * On for a domain of the public DNS, off for all else unless the file says more. An edge that listens on loopback alone
 * stands behind a server that has certificates of its own.
 */
export function tlsSettings(
  { acme, files }: z.output<typeof TLS>,
  { domain, listens }: { domain: string; listens: readonly (Address | 'off')[] },
): TlsSettings {
  const usual = isPublicName(domain) && !listens.every((address) => address === 'off' || isLoopback(address.host))
  if (listens.at(-1) === 'off' || acme?.off === true || (acme === undefined && !usual))
    return { acme: undefined, files }
  const { dns } = acme ?? {}
  return {
    acme: {
      email: acme?.email,
      directory: acme?.directory ?? (acme?.staging === true ? LETS_ENCRYPT_STAGING : LETS_ENCRYPT),
      caFile: acme?.ca_file,
      challenges: acme?.challenges ?? ['http-01', 'tls-alpn-01'],
      dns: dns && {
        hook: dns.hook,
        cloudflare: dns.cloudflare && { tokenFile: dns.cloudflare.token_file, api: dns.cloudflare.api },
        waitMs: dns.wait ?? USUAL_WAIT_MS,
      },
    },
    files,
  }
}

/** What a CAA record must name for the CA; empty where that is not known. */
export function issuerOf({ acme }: TlsSettings): { issuer?: string } {
  const known = acme?.directory === LETS_ENCRYPT || acme?.directory === LETS_ENCRYPT_STAGING
  return known ? { issuer: 'letsencrypt.org' } : {}
}

/** RFC 6761, RFC 6762, RFC 8375, RFC 9476 and ICANN's `internal`; what people use besides at home. No public CA knows them. */
const NOT_PUBLIC =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|private|corp|home|lan|test|example|invalid|onion|alt|arpa|example\.(?:com|net|org))$/

/** A name that a public CA may be asked about. `*.` may stand before it. */
export function isPublicName(name: string): boolean {
  return name.includes('.') && familyOf(name) === 0 && !NOT_PUBLIC.test(name)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

function parsePattern(text: string): string {
  try {
    return text.startsWith('*.') ? `*.${parseDomain(text.slice(2))}` : parseEdgeDomain(text)
  } catch (cause) {
    throw new EngawaError('NAME_INVALID', `${quoted(text)} is no name; write www.example.com or *.example.com`, {
      cause,
      ja: `${quoted(text)} は名前ではありません。www.example.com や *.example.com のように書いてください`,
    })
  }
}
