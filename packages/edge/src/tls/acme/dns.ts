import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { Solver } from './ca.ts'
import { certificateError } from './problem.ts'

/** Puts TXT records into the world's DNS, and takes them out again. */
export interface DnsProvider {
  /** Resolves when the record is published. Throws CERTIFICATE_FAILED. */
  present(record: string, value: string): Promise<void>
  withdraw(record: string, value: string): Promise<void>
}

/** How long a hook may take for one record. */
const HOOK_MS = 3 * 60_000
const HOOK_OUTPUT_BYTES = 64 * 1024
const API_MS = 30_000
export const CLOUDFLARE = 'https://api.cloudflare.com/client/v4'

/** DNS-01: the only way to a wildcard. RFC 8555 §8.4. `waitMs`: what the record needs to be seen everywhere. */
export function dnsSolver(provider: DnsProvider, waitMs: number): Solver {
  return {
    type: 'dns-01',
    prove: async (host, _token, keyAuthorization) => {
      const record = `_acme-challenge.${host}`
      await provider.present(record, keyAuthorization)
      await setTimeout(waitMs, undefined, { ref: false })
      return async () => {
        // A record that stays does no harm, and the certificate is there.
        await provider.withdraw(record, keyAuthorization).catch(() => {})
      }
    },
  }
}

/** A program of the user's: `HOOK present NAME VALUE`, later `HOOK cleanup NAME VALUE`; no shell lies between. */
export function hookProvider(hook: string): DnsProvider {
  const run = (what: 'present' | 'cleanup', record: string, value: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const limits = { timeout: HOOK_MS, maxBuffer: HOOK_OUTPUT_BYTES }
      const child = execFile(hook, [what, record, value], limits, (error, _stdout, stderr) => {
        if (error === null) return resolve()
        const detail = `${hook} ${what}: ${stderr.trim() || error.message}`
        reject(certificateError({ kind: 'dnsProvider', host: record, detail }))
      })
      child.stdin?.end()
    })
  return {
    present: (record, value) => run('present', record, value),
    withdraw: (record, value) => run('cleanup', record, value),
  }
}

function failed(detail: string): Error {
  return certificateError({ kind: 'dnsProvider', host: '', detail: `Cloudflare: ${detail}` })
}

/** fetch tells the cause of a failure below it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

interface CloudflareAnswer {
  readonly success?: boolean
  readonly errors?: readonly { readonly message?: string }[]
  readonly result?: unknown
}

/** Cloudflare's API, v4. The token needs "Zone: DNS: Edit" for the zone, and is read anew each time. */
export function cloudflareProvider({ tokenFile, api }: { tokenFile: string; api: string }): DnsProvider {
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    try {
      const token = readFileSync(tokenFile, 'utf8').trim()
      const response = await fetch(api + path, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(API_MS),
      })
      const answer = (await response.json()) as CloudflareAnswer
      if (answer.success === true) return answer.result
      throw failed(answer.errors?.map(({ message }) => message).join('; ') ?? `HTTP ${response.status}`)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'CERTIFICATE_FAILED') throw error
      throw failed(messageOf(error))
    }
  }
  /** The zone is the longest ending of the name that the account has. */
  const zoneOf = async (record: string): Promise<string> => {
    const labels = record.split('.')
    for (let at = 1; at < labels.length - 1; at++) {
      // oxlint-disable-next-line no-await-in-loop -- the longest first
      const found = await ask('GET', `/zones?name=${encodeURIComponent(labels.slice(at).join('.'))}`)
      const [zone] = found as { id?: string }[]
      if (zone?.id !== undefined) return `/zones/${encodeURIComponent(zone.id)}/dns_records`
    }
    throw certificateError({
      kind: 'dnsProvider',
      host: record,
      detail: `Cloudflare: the token sees no zone of ${record}`,
    })
  }
  return {
    present: async (record, value) => {
      await ask('POST', await zoneOf(record), { type: 'TXT', name: record, content: `"${value}"`, ttl: 60 })
    },
    withdraw: async (record, value) => {
      const zone = await zoneOf(record)
      const found = await ask('GET', `${zone}?type=TXT&name=${encodeURIComponent(record)}`)
      for (const { id, content } of found as { id: string; content: string }[]) {
        if (content.replaceAll('"', '') !== value) continue
        // oxlint-disable-next-line no-await-in-loop -- there is one
        await ask('DELETE', `${zone}/${encodeURIComponent(id)}`)
      }
    },
  }
}
