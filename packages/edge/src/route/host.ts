import { endpoint } from '@engawa/shared/wire/opening'

/** The authority of a request, as routes and certificates compare it: lower case, without port and final dot. */
export interface Authority {
  readonly name: string
  /** The name is an IP address (without brackets). */
  readonly literal: boolean
}

const NAME = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?$/
const PORT = /^(?::(?:0|[1-9]\d{0,4}))?$/

/**
 * Reads a Host field. Undefined for anything but a name or IP address with an optional port: no userinfo, no list,
 * no empty label, nothing percent-encoded. RFC 9110 §7.2, RFC 9112 §3.2.
 */
export function parseHost(field: string): Authority | undefined {
  if (field.length > 260) return undefined
  const text = field.toLowerCase()
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    const inside = text.slice(1, close)
    const { family, address } = endpoint(inside, 0)
    if (close < 0 || inside.includes('%') || !inside.includes(':') || family === 0) return undefined
    return portFits(text.slice(close + 1)) ? { name: address, literal: true } : undefined
  }
  const colon = text.indexOf(':')
  const host = colon < 0 ? text : text.slice(0, colon)
  if (!portFits(text.slice(host.length)) || !NAME.test(host) || host.includes('..')) return undefined
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  if (name.length > 253) return undefined
  return { name, literal: endpoint(name, 0).family === 4 }
}

function portFits(text: string): boolean {
  return PORT.test(text) && (text === '' || Number(text.slice(1)) <= 65_535)
}
