import { lookup } from 'node:dns/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { breakOff } from '@engawa/shared/stream/splice'
import type { Bound } from '@engawa/shared/wire/control'
import type { CheckResult } from './events.ts'
import { isGlobal } from './global.ts'
import type { Wish } from './wish.ts'

/** Each step of a check, milliseconds: a visitor would have given up as well. */
const STEP_MS = 5000
/** A token as the edge makes them: nothing that would make another path of it. */
const TOKEN = /^[\w-]{8,128}$/
/** An answer of the edge is one token; more than this is somebody else's page, bytes. */
const MAX_ANSWER_BYTES = 4096

/** How to look at a tunnel of our own. */
export function settingsOf({
  path,
  allow,
  deny,
}: Pick<Wish, 'path' | 'allow' | 'deny'>): Pick<CheckSettings, 'path' | 'ruled'> {
  return { path, ruled: allow !== undefined || deny !== undefined }
}

export interface CheckSettings {
  /** IP address of the edge as the agent's own carrier sees it. */
  readonly edgeAddress: string
  readonly stepMs?: number
  /** Below it the edge answers the token. It is what we asked for, not what the edge says of it. */
  readonly path?: string | undefined
  /** The tunnel lets only some addresses in, and this machine's may be none of them. */
  readonly ruled?: boolean
}

/**
 * Asks for a tunnel's public address as a visitor would, and says which part fails: the name does not resolve, it leads
 * to another address, the port is closed, the certificate is not trusted. Never rejects.
 */
export async function checkPublic(bound: Bound, settings: CheckSettings): Promise<CheckResult> {
  const url = URL.parse(bound.public)
  const web = url !== null && /^https?:$/.test(url.protocol)
  const [, host, port] = web ? [] : (/^\[?(.+?)\]?:(\d+)(?:-\d+)?$/.exec(bound.public) ?? [])
  const name = web ? url.hostname.replace(/^\[(.*)\]$/, '$1') : (host ?? '')
  // What a visitor of a UDP port would say belongs to its service: only the name can be checked.
  const udp = bound.idleMs !== undefined
  if (web && !TOKEN.test(bound.check ?? '')) return { ok: false, failed: 'skipped' }
  const addresses = await addressesOf(name, settings)
  if (addresses.length === 0) return { ok: false, failed: 'name', detail: name }
  let reached: CheckResult = { ok: false, failed: 'skipped', detail: name }
  for (const address of addresses) {
    if (!isPublic(address, settings)) {
      if (elsewhere(address, settings)) return { ok: false, failed: 'address', detail: address }
      continue
    }
    const result = web
      ? await ask(
          new URL(`${settings.path ?? ''}/.well-known/engawa/${bound.check}`, url),
          address,
          bound.check ?? '',
          settings,
        )
      : udp
        ? skip(address, settings)
        : await touch(address, Number(port), settings)
    // Each address that the name leads to is one that visitors may get.
    if (result.ok || (result.failed === 'blocked' && !reached.ok)) reached = result
    else if (result.failed !== 'skipped' && result.failed !== 'blocked') {
      return elsewhere(address, settings) ? { ...result, failed: 'address', detail: address } : result
    }
  }
  return reached
}

const LOOPBACK = /^127\.|^::1$/

/**
 * Whether the check may dial it. What is public is what the edge says: a hacked one must not make us knock at the router
 * next door. So the edge's own address is fine, else only such as the whole internet has; this machine where the edge is on it.
 */
function isPublic(address: string, { edgeAddress }: CheckSettings): boolean {
  if (address === edgeAddress) return true
  if (LOOPBACK.test(address)) return LOOPBACK.test(edgeAddress) || isOwn(edgeAddress)
  return isGlobal(address)
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some((own) => own.address === address))
}

/** RFC 6761: `localhost` and all below it are this machine, also where the resolver does not know that. */
async function addressesOf(name: string, { stepMs = STEP_MS }: CheckSettings): Promise<string[]> {
  if (isIP(name) !== 0) return [name]
  if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1']
  const late = new Promise<never>((_, reject) => setTimeout(reject, stepMs, new Error('no answer')).unref())
  try {
    const found = await Promise.race([lookup(name, { all: true }), late])
    // A machine without IPv6 cannot tell whether the AAAA record is right.
    return found.map(({ address }) => address)
  } catch {
    return []
  }
}

/** A failure at another address than the edge's own: the name leads elsewhere. */
function elsewhere(address: string, { edgeAddress }: CheckSettings): boolean {
  return isIP(address) === isIP(edgeAddress) && address !== edgeAddress
}

const UNROUTED = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'])

/** The rules of the tunnel are not for us: that says nothing about those whom they let in. */
const BLOCKED: CheckResult = { ok: false, failed: 'blocked' }

function failure(error: NodeJS.ErrnoException, address: string, { ruled = false }: CheckSettings): CheckResult {
  const code = error.code ?? ''
  if (ruled && code === 'ECONNRESET') return BLOCKED
  // This machine has no way to that family: says nothing about visitors.
  if (UNROUTED.has(code)) return { ok: false, failed: 'skipped', detail: address }
  if (/CERT|SIGNATURE|ALTNAME|^ERR_TLS|^ERR_SSL|^EPROTO$/.test(code))
    return { ok: false, failed: 'certificate', detail: code }
  if (code === 'ECONNRESET' || code.startsWith('HPE_')) return { ok: false, failed: 'answer', detail: code }
  return { ok: false, failed: 'port', detail: code }
}

function ask(url: URL, address: string, token: string, settings: CheckSettings): Promise<CheckResult> {
  const { stepMs = STEP_MS } = settings
  const request = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve) => {
    const sent = request({
      host: address,
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
      path: url.pathname,
      headers: { host: url.host, connection: 'close', accept: 'text/plain' },
      ...(isIP(url.hostname) === 0 && { servername: url.hostname }),
      signal: AbortSignal.timeout(stepMs),
    })
    sent.on('error', (error) => resolve(failure(error, address, settings)))
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_ANSWER_BYTES) sent.destroy()
      })
      response.on('close', () => {
        const ok = response.statusCode === 200 && text.trim() === token
        // Our own address is one that the rules refuse.
        if (response.headers['engawa-error'] === 'BLOCKED') return resolve(BLOCKED)
        resolve(ok ? { ok } : { ok, failed: 'answer', detail: `HTTP ${response.statusCode}` })
      })
    })
    sent.end()
  })
}

function skip(address: string, settings: CheckSettings): CheckResult {
  return elsewhere(address, settings)
    ? { ok: false, failed: 'address', detail: address }
    : { ok: false, failed: 'skipped', detail: address }
}

function touch(address: string, port: number, settings: CheckSettings): Promise<CheckResult> {
  const { stepMs = STEP_MS } = settings
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, signal: AbortSignal.timeout(stepMs) })
    socket.on('connect', () => {
      resolve({ ok: true })
      // Not by FIN: a service that keeps its half open would hold up every stop of edge and agent, to the end of the drain.
      breakOff(socket)
    })
    socket.on('error', (error) => resolve(failure(error, address, settings)))
  })
}
