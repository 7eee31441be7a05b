import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'
import { endpoint } from './wire/opening.ts'

/** Where to listen or to dial. */
export interface Address {
  /** Name or IP address, IPv6 without brackets, IPv4-mapped ones as IPv4; empty: all interfaces, both families. */
  readonly host: string
  /** 0: any free one (only to listen). */
  readonly port: number
}

/** `HOST:PORT`, `[V6]:PORT` or `:PORT`. Throws ADDRESS_INVALID. */
export function parseAddress(text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits ?? Number.NaN)
  if (!(port <= 65_535)) return refuse(text)
  if (bracketed !== undefined) {
    const { family, address } = endpoint(bracketed, 0)
    return family === 0 || !bracketed.includes(':') ? refuse(text) : { host: address, port }
  }
  return { host: plain === '' ? '' : parseHostPart(plain ?? '', text), port }
}

/** `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address: what agents dial. Throws ADDRESS_INVALID. */
export function parsePublicHost(text: string): { host: string; port: number | undefined } {
  const bare = endpoint(text.replace(/^\[([^\]]*)\]$/, '$1'), 0)
  if (bare.family === 6) return { host: bare.address, port: undefined }
  if (!text.includes(':')) return { host: parseHostPart(text, text), port: undefined }
  const { host, port } = parseAddress(text)
  return host === '' || port === 0 ? refuse(text) : { host, port }
}

/** The host of a Host field; undefined where it names none. RFC 9110 §7.2 */
export function hostOfField(field: string | undefined): string | undefined {
  try {
    return parsePublicHost(field ?? '').host
  } catch {
    return undefined
  }
}

/** As it is typed and shown: IPv6 in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${formatHost(host)}:${port}`
}

/** A host as it stands before `:PORT` or in a URL. */
export function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** 4 or 6 for an IP address, 0 for a name. */
export function familyOf(host: string): 0 | 4 | 6 {
  return endpoint(host, 0).family
}

function parseHostPart(host: string, whole: string): string {
  const { family, address } = endpoint(host, 0)
  if (family === 4) return address
  const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/i
  const labels = host.replace(/\.$/, '').split('.')
  // A name whose last label is a number would be taken for an odd spelling of an IPv4 address (WHATWG URL).
  const numeric = /^\d+$/.test(labels.at(-1) ?? '')
  if (host.length > 253 || numeric || !labels.every((part) => label.test(part))) return refuse(whole)
  return host.toLowerCase().replace(/\.$/, '')
}

function refuse(text: string): never {
  throw new EngawaError('ADDRESS_INVALID', `${quoted(text)} is no address; write HOST:PORT, [IPv6]:PORT or :PORT`, {
    ja: `${quoted(text)} はアドレスではありません。HOST:PORT、[IPv6]:PORT、:PORT のいずれかで書いてください`,
  })
}
