import { type Code, rowOf } from '@engawa/shared/errors'
import type { VisitorRequest } from '../forward/message.ts'
import type { AccessEntry } from './entry.ts'

/** What the request itself says of itself; undefined: it was not to be read. */
export type AskedFor = Pick<AccessEntry, 'host' | 'method' | 'target' | 'version' | 'referrer' | 'userAgent'>

export function askedFor(
  request: Pick<VisitorRequest, 'method' | 'url' | 'httpVersion' | 'headers'> | undefined,
): AskedFor {
  const { host = '', referer: referrer, 'user-agent': userAgent } = request?.headers ?? {}
  const { method = '', url: target = '', httpVersion: version = '' } = request ?? {}
  return { host, method, target, version, referrer, userAgent }
}

/** The entry of a request that never became one for a tunnel. */
export function refusedEntry(
  visitor: { readonly address: string; readonly secure: boolean },
  request: Parameters<typeof askedFor>[0],
  code: Code,
): AccessEntry {
  return {
    ...askedFor(request),
    at: Date.now(),
    visitor: visitor.address,
    secure: visitor.secure,
    status: rowOf(code).status ?? 400,
    received: 0,
    sent: 0,
    firstByteMs: 0,
    ms: 0,
    by: 'edge',
    tunnel: undefined,
    agent: undefined,
    code,
  }
}
