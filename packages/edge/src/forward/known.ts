import type { BlockList } from 'node:net'
import type { Visitor } from '../admit.ts'
import { KNOWN_BYTES } from '../http1/lines.ts'
import { prefixFields } from '../route/route.ts'
import type { Live, Rewrite, Tunnel } from '../tunnel/tunnel.ts'
import { answerFields, type RawFields, requestFields, valuesOf } from './headers.ts'

/** What the fields of a request towards its service depend on, besides the visitor's connection. */
interface AskedBy {
  readonly raw: RawFields
  readonly method: string
  readonly version: string
  readonly upgrade: string | undefined
  readonly tunnel: Tunnel
  /** Whose forwarding fields are kept and added to. */
  readonly trusted: BlockList
}

interface Prepared extends AskedBy {
  readonly host: string | undefined
  readonly path: string | undefined
  readonly rewrite: Rewrite
  readonly fields: string[]
}

/** What the fields of an answer towards its visitor depend on. */
interface Answered {
  readonly raw: RawFields
  readonly status: number
  /** The edge's, for which no service may set cookies. */
  readonly domain: string
  readonly trailers: boolean
  readonly strictTransport: string | undefined
}

/**
 * What was last made of fields on a visitor's connection. Where the next request, or its answer, brings the same array of
 * fields (its reader has met the same bytes), the outcome is the same array, too: nobody changes either of them.
 */
export class KnownFields {
  #prepared: Prepared | undefined
  #answered: (Answered & { readonly fields: string[] }) | undefined
  #service: { readonly live: Live; readonly client: string; readonly key: string } | undefined

  /** Of a request, as the service gets them. */
  request(visitor: Pick<Visitor, 'peer' | 'secure'>, asked: AskedBy): string[] {
    const { raw, method, version, upgrade, tunnel, trusted } = asked
    const { hostHeader: host, path, rewrite } = tunnel
    const last = this.#prepared
    if (
      last?.raw === raw &&
      last.method === method &&
      last.version === version &&
      last.upgrade === upgrade &&
      last.trusted === trusted &&
      // What is published anew under a name may be the same tunnel with other wishes.
      last.tunnel === tunnel &&
      last.host === host &&
      last.path === path &&
      last.rewrite === rewrite
    )
      return last.fields
    const { peer, secure } = visitor
    const fields = requestFields(raw, { peer, secure, trusted }, { method, version, upgrade, host })
    const all = rewrite.strip ? [...prefixFields(tunnel), ...fields] : fields
    if (isLittle(raw))
      this.#prepared = { raw, method, version, upgrade, tunnel, trusted, host, path, rewrite, fields: all }
    return all
  }

  /** Of an answer, as the visitor gets them. */
  answer(answered: Answered): string[] {
    const { raw, status, domain, trailers, strictTransport } = answered
    const last = this.#answered
    if (
      last?.raw === raw &&
      last.status === status &&
      last.domain === domain &&
      last.trailers === trailers &&
      last.strictTransport === strictTransport
    )
      return last.fields
    const fields = answerFields(raw, { status, domain, trailers })
    if (strictTransport !== undefined && valuesOf(raw, 'strict-transport-security').length === 0)
      fields.push('Strict-Transport-Security', strictTransport)
    if (isLittle(raw)) this.#answered = { raw, status, domain, trailers, strictTransport, fields }
    return fields
  }

  /** Requests with another one never share a service connection. A trusted proxy's connection carries many visitors: each has service connections of its own. */
  service(live: Live, client: string): string {
    const last = this.#service
    if (last?.live === live && last.client === client) return last.key
    const key = `${live.link.session}/${live.service}/${client}`
    this.#service = { live, client, key }
    return key
  }
}

/** So few bytes that a connection may keep them: its reader keeps no more either. */
export function isLittle(raw: RawFields): boolean {
  let bytes = 0
  for (const text of raw) bytes += text.length + 2
  return bytes <= KNOWN_BYTES
}
