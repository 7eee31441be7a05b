import type { TlsSettings } from '../settings.ts'
import { isPublicName, LETS_ENCRYPT, LETS_ENCRYPT_STAGING } from '../settings.ts'

/** The names of one certificate. */
export type Subject = readonly string[]

export interface PlanInput {
  readonly settings: TlsSettings
  readonly domain: string
  /** Hosts of the HTTP tunnels, the one leased first first. */
  readonly hosts: readonly string[]
}

/** Which certificates are to be there: only for names that somebody has configured, never for what a visitor names. */
export function plan({ settings, domain, hosts }: PlanInput): Subject[] {
  const { acme } = settings
  if (acme === undefined) return []
  const subjects = new Map<string, Subject>()
  for (const host of [domain, ...hosts]) {
    if (!isWanted(host, settings)) continue
    const below = host === domain || covers(`*.${domain}`, host)
    // One certificate for all just below the domain: whoever looks at certificate logs learns no tunnel's name.
    const subject = acme.dns !== undefined && below ? [domain, `*.${domain}`] : [host]
    subjects.set(subject.join(' '), subject)
  }
  return [...subjects.values()]
}

/** Whether a certificate is to be there for a name that somebody has configured. */
export function isWanted(host: string, { acme, files }: TlsSettings): boolean {
  return acme !== undefined && mayOrder(host, acme.directory) && !files.some(({ name }) => covers(name, host))
}

/** Whether a certificate's name is good for a host. RFC 6125 §6.4.3: `*` is one label. */
export function covers(name: string, host: string): boolean {
  if (name === host) return true
  const dot = host.indexOf('.')
  return name.startsWith('*.') && dot > 0 && host.slice(dot) === name.slice(1)
}

/** A CA of one's own may know names that no public one does. */
function mayOrder(host: string, directory: string): boolean {
  if (directory === LETS_ENCRYPT || directory === LETS_ENCRYPT_STAGING) return isPublicName(host)
  return host.includes('.') && !host.endsWith('.localhost')
}
