import { Agent, request } from 'node:https'
import { rootCertificates } from 'node:tls'
import { version } from '../../version.ts'
import { certificateError, readProblem } from './problem.ts'

/** A chain of certificates has some KiB; a CA that sends more than this is none. */
const MOST_BYTES = 1024 * 1024
const PATIENCE_MS = 30_000

interface Asked {
  readonly url?: string
  readonly method?: string
  /** As acme-client has signed it. */
  readonly data?: string
  readonly headers: { toJSON(): Record<string, unknown> }
}

interface Answered {
  readonly data: string
  readonly status: number
  readonly statusText: string
  readonly headers: Record<string, string>
  readonly config: Asked
}

/**
 * Makes acme-client (by the `defaults` of its axios) speak through node:https: bounded, to be cut off, trusting `roots` (PEM) besides the usual ones.
 *
 * What it brings itself retries for minutes and loses the cause. There is one for the whole process, as of a CA.
 * Answers how to close it.
 */
export function openTransport(defaults: object, roots: string | undefined): () => void {
  const agent = new Agent({ keepAlive: true, ...(roots !== undefined && { ca: [...rootCertificates, roots] }) })
  const closing = new AbortController()
  const adapter = (asked: Asked): Promise<Answered> => send(asked, agent, closing.signal)
  Object.assign(defaults, { adapter })
  return () => {
    closing.abort()
    agent.destroy()
  }
}

function send(asked: Asked, agent: Agent, signal: AbortSignal): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>()
  const headers = { ...(asked.headers.toJSON() as Record<string, string>), 'User-Agent': `engawa-edge/${version()}` }
  const failed = (error: Error): void => reject(unreachable(asked.url ?? '', error))
  const outgoing = request(
    asked.url ?? '',
    { method: (asked.method ?? 'get').toUpperCase(), headers, agent, signal, timeout: PATIENCE_MS },
    (incoming) => {
      const parts: Buffer[] = []
      let bytes = 0
      incoming.on('data', (part: Buffer) => {
        parts.push(part)
        bytes += part.length
        if (bytes > MOST_BYTES) incoming.destroy(new Error('its answer is too long'))
      })
      incoming.on('error', failed)
      incoming.on('end', () => {
        const { statusCode: status = 0, statusMessage: statusText = '' } = incoming
        const data = Buffer.concat(parts).toString()
        const refusal = refusalOf(status, data, incoming.headers['retry-after'])
        if (refusal !== undefined) return reject(refusal)
        resolve({ data, status, statusText, headers: incoming.headers as Record<string, string>, config: asked })
      })
    },
  )
  outgoing.on('timeout', () => outgoing.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
  outgoing.on('error', failed)
  outgoing.end(asked.data)
  return promise
}

/** A bad nonce is for acme-client, which asks again with another. */
function refusalOf(status: number, text: string, retryAfter: string | undefined): Error | undefined {
  if (status < 400) return undefined
  const document = parsed(text)
  if (document.type?.endsWith(':badNonce') === true) return undefined
  const retryMs = waitOf(retryAfter)
  const problem = readProblem({ type: document.type, detail: document.detail ?? `HTTP ${status}` })
  const kind = problem.kind === 'other' && status >= 500 ? 'caBroken' : status === 429 ? 'rateLimited' : problem.kind
  return certificateError({ ...problem, kind, ...(retryMs !== undefined && { retryMs }) })
}

function parsed(text: string): { type?: string; detail?: string } {
  try {
    const { type, detail } = (JSON.parse(text) as Record<string, unknown> | null) ?? {}
    return { ...(typeof type === 'string' && { type }), ...(typeof detail === 'string' && { detail }) }
  } catch {
    return {}
  }
}

/** Seconds or a date, RFC 9110 §10.2.3. */
function waitOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now()
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

function unreachable(url: string, error: NodeJS.ErrnoException): Error {
  const { code = '', message } = error
  const untrusted = /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_TLS_CERT)/.test(code)
  const detail = `${URL.parse(url)?.host ?? url}: ${message}`
  return certificateError({ kind: untrusted ? 'caUntrusted' : 'caUnreachable', host: '', detail })
}
