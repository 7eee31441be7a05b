import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { familyOf, formatAddress, parseAddress } from '@engawa/shared/addresses'
import ipaddr from 'ipaddr.js'
import { isPublicName } from './tls/settings.ts'

/** A DNS record that an edge needs. */
export interface DnsRecord {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'CAA'
  readonly value: string
}

/** How a record is. `found`: what is there instead, or why there is no answer. */
export interface RecordState {
  readonly state: 'right' | 'missing' | 'optional' | 'elsewhere' | 'forbids' | 'failed'
  readonly found: readonly string[]
}

export type Lookup = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveCaa'>

const PATIENCE_MS = 3000

/** The domain and everything below it, own domains of tunnels, and who may issue certificates. */
export function recordsFor({
  domain,
  hosts,
  addresses,
  issuer,
}: {
  domain: string
  /** Own domains. */
  hosts: readonly string[]
  addresses: readonly string[]
  issuer: string | undefined
}): DnsRecord[] {
  const below = (host: string): boolean => host === domain || host.endsWith(`.${domain}`)
  const own = domain === 'localhost' ? [] : [domain, `*.${domain}`]
  const names = [...own, ...new Set(hosts.filter((host) => !below(host) && !host.endsWith('.localhost')))]
  const records = names.flatMap((name) =>
    addresses.map((value): DnsRecord => ({ name, type: familyOf(value) === 6 ? 'AAAA' : 'A', value })),
  )
  if (issuer === undefined || !isPublicName(domain)) return records
  return [...records, { name: domain, type: 'CAA', value: `0 issue "${issuer}"` }]
}

/** Asks for each record. `addresses`: all that lead to this edge. */
export async function checkRecords(
  records: readonly DnsRecord[],
  { addresses, resolver }: { addresses: readonly string[]; resolver: Lookup },
): Promise<{ record: DnsRecord; state: RecordState }[]> {
  const right = new Set(addresses.map(plain))
  const families = new Set(addresses.map(familyOf))
  return Promise.all(
    records.map(async (record) => {
      const state =
        record.type === 'CAA'
          ? await checkCaa(record, resolver)
          : await checkAddress(record, { right, families, resolver })
      return { record, state }
    }),
  )
}

/** The system's, or one at `HOST:PORT`. Throws ADDRESS_INVALID. */
export function openResolver(at: string | undefined): Resolver {
  const resolver = new Resolver({ timeout: PATIENCE_MS, tries: 2 })
  if (at !== undefined)
    resolver.setServers([formatAddress(familyOf(at) === 0 ? parseAddress(at) : { host: at, port: 53 })])
  return resolver
}

async function checkAddress(
  { name, type, value }: DnsRecord,
  { right, families, resolver }: { right: ReadonlySet<string>; families: ReadonlySet<number>; resolver: Lookup },
): Promise<RecordState> {
  // A wildcard is asked for by a name that nobody has.
  const asked = name.replace(/^\*/, `engawa-${randomBytes(4).toString('hex')}`)
  const found = await ask(() => (type === 'A' ? resolver.resolve4(asked) : resolver.resolve6(asked)))
  if (!Array.isArray(found)) return found
  const foreign = found.filter((address) => !right.has(plain(address)))
  if (foreign.length > 0) return { state: 'elsewhere', found: foreign }
  if (found.some((address) => plain(address) === plain(value))) return { state: 'right', found: [] }
  // IPv6 is good to have; without IPv4 most visitors do not get here.
  return { state: type === 'AAAA' && families.has(4) ? 'optional' : 'missing', found: [] }
}

/** No record allows every CA; one that is there must name ours. RFC 8659 §4.2 */
async function checkCaa({ name, value }: DnsRecord, resolver: Lookup): Promise<RecordState> {
  const found = await ask(() => resolver.resolveCaa(name))
  if (!Array.isArray(found)) return found
  const issuers = found.flatMap(({ issue }) => (issue === undefined ? [] : [issue.split(';')[0]?.trim() ?? '']))
  if (issuers.length === 0) return { state: 'optional', found: [] }
  return issuers.some((issuer) => value.includes(`"${issuer}"`))
    ? { state: 'right', found: [] }
    : { state: 'forbids', found: issuers }
}

async function ask<Answer>(look: () => Promise<Answer[]>): Promise<Answer[] | RecordState> {
  try {
    return await look()
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return code === 'ENODATA' || code === 'ENOTFOUND' ? [] : { state: 'failed', found: [code] }
  }
}

/** One spelling of an address. */
function plain(address: string): string {
  return ipaddr.process(address).toString()
}
