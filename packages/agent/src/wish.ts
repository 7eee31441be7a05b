import { parsedText } from '@engawa/shared/config'
import { parseTunnelHost, parseTunnelName } from '@engawa/shared/names'
import { parseNetwork } from '@engawa/shared/networks'
import { formatRange, type PortRange, parsePortRange } from '@engawa/shared/ports'
import { z } from 'zod'
import { complaint } from './complaint.ts'
import { isLoopback4 } from './deliver/loopback.ts'
import { PROXY_VERSIONS, type ProxyVersion } from './deliver/proxy.ts'
import { parseTarget, type Target } from './target.ts'

/** What one line of `expose` or one entry of agent.yaml asks for. */
export interface Wish {
  readonly target: Target
  readonly name?: string | undefined
  readonly hosts?: readonly string[] | undefined
  readonly path?: string | undefined
  /** The service is asked without `path`. */
  readonly stripPath?: boolean | undefined
  /** It answers at the edge's bare address, too. */
  readonly bare?: boolean | undefined
  /** Others may stand behind its name. */
  readonly balance?: boolean | undefined
  /** How the edge looks whether it is well: `tcp` or `http:/PATH`. */
  readonly health?: string | undefined
  /** Insisted on. */
  readonly port?: PortRange | undefined
  /** CIDRs that this tunnel alone may reach besides what is always allowed. */
  readonly reach?: readonly string[] | undefined
  /** Networks whose visitors alone the edge takes, and those whose visitors it does not. */
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
  /** HTTP: the Host that the service is asked by; also the name that its certificate must hold. */
  readonly hostHeader?: string | undefined
  /** https://: any certificate will do. */
  readonly insecure?: boolean | undefined
  /** A folder: what is in it is shown where there is no index.html. */
  readonly listing?: boolean | undefined
  /** How the service is told who visits. */
  readonly proxyProtocol?: ProxyVersion | undefined
  /** Each visitor comes from an address of its own in 127.0.0.0/8. */
  readonly visitorAddress?: VisitorAddress | undefined
}

export const VISITOR_ADDRESSES = ['loopback'] as const
type VisitorAddress = (typeof VISITOR_ADDRESSES)[number]

/** The same as people write it: flags, a tunnel of agent.yaml, the body of a further `expose`. */
export interface TypedWish {
  readonly target: string
  readonly name?: string | undefined
  readonly host?: readonly string[] | undefined
  readonly path?: string | undefined
  readonly stripPath?: boolean | undefined
  readonly bare?: boolean | undefined
  readonly balance?: boolean | undefined
  readonly health?: string | undefined
  readonly port?: string | undefined
  readonly reach?: readonly string[] | undefined
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
  readonly hostHeader?: string | undefined
  readonly insecure?: boolean | undefined
  readonly listing?: boolean | undefined
  readonly proxyProtocol?: string | undefined
  readonly visitorAddress?: string | undefined
}

const oneOrMore = <Value>(one: z.ZodType<Value, string>): z.ZodType<Value[], string | string[]> =>
  z.union([one.transform((value) => [value]), z.array(one).min(1)]) as z.ZodType<Value[], string | string[]>

/** A tunnel as agent.yaml has it. `base`: where folders that do not begin with a slash begin. */
export function wishSchema(base: string): z.ZodType<Wish> {
  return z
    .strictObject({
      target: z
        .union([z.number().int(), z.string()])
        .transform(String)
        .pipe(parsedText((text) => parseTarget(text, base)))
        .describe('PORT, HOST:PORT, https://HOST, tcp://HOST:PORT[-PORT], udp://…, tls://…, unix:/path or a folder'),
      name: parsedText(parseTunnelName).optional().describe('Public name; without it, what this target had before.'),
      host: oneOrMore(parsedText(parseTunnelHost))
        .optional()
        .describe('Domains of your own that lead here too (HTTP, TLS).'),
      path: parsedText(parsePrefix).optional().describe('Only requests below this path (HTTP).'),
      'strip-path': z.boolean().optional().describe('Ask the service without that path (HTTP).'),
      default: z.boolean().optional().describe("Answer at the edge's bare address, too (HTTP)."),
      balance: z.boolean().optional().describe('Share the name with other targets or agents (HTTP).'),
      health: parsedText(parseHealth)
        .optional()
        .describe('How the edge looks whether the service is well: tcp or http:/PATH.'),
      port: z
        .union([z.number().int(), z.string()])
        .transform(String)
        .pipe(parsedText(parsePortRange))
        .optional()
        .describe("Public port N or N-M (TCP, UDP); without it, the target's own if that is free."),
      reach: oneOrMore(parsedText(parseNetwork))
        .optional()
        .describe('Link-local or metadata networks that this target may lie in.'),
      allow: oneOrMore(parsedText(parseNetwork)).optional().describe('Networks whose visitors alone are taken.'),
      deny: oneOrMore(parsedText(parseNetwork)).optional().describe('Networks whose visitors are not taken.'),
      'host-header': parsedText(parseHostHeader).optional().describe('The Host that the service is asked by (HTTP).'),
      'insecure-target': z.boolean().optional().describe('Take any certificate of an https:// target.'),
      listing: z.boolean().optional().describe('Show what is in a folder that has no index.html.'),
      'proxy-protocol': z
        .enum(PROXY_VERSIONS)
        .optional()
        .describe('Tell the service who visits by the PROXY protocol.'),
      'visitor-address': z
        .enum(VISITOR_ADDRESSES)
        .optional()
        .describe('Let each visitor come from an address of its own in 127.0.0.0/8 (services of this machine, Linux).'),
    })
    .transform(
      ({
        host,
        'strip-path': stripPath,
        default: bare,
        'host-header': hostHeader,
        'insecure-target': insecure,
        'proxy-protocol': proxyProtocol,
        'visitor-address': visitorAddress,
        ...rest
      }): Wish => ({
        ...rest,
        hosts: host,
        stripPath,
        bare,
        hostHeader,
        insecure,
        proxyProtocol,
        visitorAddress,
      }),
    )
}

/** Throws what the parsers of its parts throw, and FLAG_INVALID where they do not fit together. */
export function parseWish(typed: TypedWish): Wish {
  const wish: Wish = {
    target: parseTarget(typed.target),
    name: typed.name === undefined ? undefined : parseTunnelName(typed.name),
    hosts: typed.host?.map(parseTunnelHost),
    path: typed.path === undefined ? undefined : parsePrefix(typed.path),
    stripPath: typed.stripPath,
    bare: typed.bare,
    balance: typed.balance,
    health: typed.health === undefined ? undefined : parseHealth(typed.health),
    port: typed.port === undefined ? undefined : parsePortRange(typed.port),
    reach: typed.reach?.map(parseNetwork),
    allow: typed.allow?.map(parseNetwork),
    deny: typed.deny?.map(parseNetwork),
    hostHeader: typed.hostHeader === undefined ? undefined : parseHostHeader(typed.hostHeader),
    insecure: typed.insecure,
    listing: typed.listing,
    proxyProtocol: PROXY_VERSIONS.find((version) => version === typed.proxyProtocol),
    visitorAddress: VISITOR_ADDRESSES.find((kind) => kind === typed.visitorAddress),
  }
  checkFit(wish)
  return wish
}

/** The way back: what `parseWish` would read as the same. */
export function typedOf({ target, hosts, port, ...rest }: Wish): TypedWish {
  return { ...rest, target: target.text, host: hosts, port: port && formatRange(port) }
}

/** Throws FLAG_INVALID: a port for a host name, a host for a port, ranges of different lengths. */
export function checkFit({
  target,
  hosts,
  path,
  stripPath,
  bare,
  port,
  hostHeader,
  insecure,
  listing,
  proxyProtocol,
  visitorAddress,
}: Wish): void {
  const isFolder = target.place.kind === 'folder'
  if (listing === true && !isFolder) throw complaint('FLAG_INVALID', (words) => words.onlyForFolders('--listing'))
  if (isFolder && (hostHeader !== undefined || proxyProtocol !== undefined)) {
    const flag = hostHeader === undefined ? '--proxy-protocol' : '--host-header'
    throw complaint('FLAG_INVALID', (words) => words.notForFolders(flag))
  }
  const byPort = isByPort(target)
  if (!byPort && port !== undefined) throw complaint('FLAG_INVALID', (words) => words.portForHttp)
  if (byPort && hosts !== undefined && hosts.length > 0) {
    throw complaint('FLAG_INVALID', (words) => words.onlyForHttp('--host'))
  }
  if (target.protocol !== 'http' && path !== undefined)
    throw complaint('FLAG_INVALID', (words) => words.onlyForHttp('--path'))
  if (target.protocol !== 'http' && bare === true)
    throw complaint('FLAG_INVALID', (words) => words.onlyForHttp('--default'))
  if (stripPath === true && path === undefined) throw complaint('FLAG_INVALID', (words) => words.stripNeedsPath)
  if (target.protocol !== 'http' && hostHeader !== undefined) {
    throw complaint('FLAG_INVALID', (words) => words.onlyForHttp('--host-header'))
  }
  if (!target.secure && insecure === true) {
    throw complaint('FLAG_INVALID', (words) => words.onlyForHttps('--insecure-target'))
  }
  if (proxyProtocol !== undefined && target.secure) {
    throw complaint('FLAG_INVALID', (words) => words.proxyForTls)
  }
  if (proxyProtocol === 'v1' && target.protocol === 'udp') throw complaint('FLAG_INVALID', (words) => words.proxyForUdp)
  const local = target.place.kind === 'port' && isLoopback4(target.place.host)
  if (visitorAddress !== undefined && !(local && process.platform === 'linux')) {
    throw complaint('FLAG_INVALID', (words) => words.visitorAddressElsewhere)
  }
  const count = target.place.kind === 'port' ? target.place.count : 1
  if (port !== undefined && port[1] - port[0] + 1 !== count) {
    throw complaint('FLAG_INVALID', (words) => words.portCount(count, port[1] - port[0] + 1))
  }
}

/** Published by a port of its own, not by a name. */
export function isByPort({ protocol }: Target): boolean {
  return protocol === 'tcp' || protocol === 'udp'
}

/** `tcp` or `http:/PATH`. Throws FLAG_INVALID. */
function parseHealth(text: string): string {
  if (text === 'tcp' || /^http:\/[\w.~!$&'()*+,;=:@%/?-]*$/.test(text)) return text
  throw complaint('FLAG_INVALID', (words) => words.healthWrong(text))
}

/** `HOST` or `HOST:PORT`, as in a Host field. Throws FLAG_INVALID. */
export function parseHostHeader(text: string): string {
  const [, name = '', port] = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (name !== '' && name.length <= 253 && Number(port ?? 1) <= 65_535) return text.toLowerCase()
  throw complaint('FLAG_INVALID', (words) => words.hostHeaderWrong(text))
}

/** `/PREFIX` of a host name: begins with a slash, no query, no `..`. Throws FLAG_INVALID. */
export function parsePrefix(text: string): string {
  const path = text.length > 1 ? text.replace(/\/+$/, '') : text
  const fine =
    /^\/[\w.~!$&'()*+,;=:@%/-]*$/.test(path) && !path.split('/').some((part) => part === '..' || part === '.')
  if (fine && path.length <= 1024 && !path.includes('//')) return path
  throw complaint('FLAG_INVALID', (words) => words.prefixWrong(text))
}
