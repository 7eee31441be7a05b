import type { AccessEntry } from '../access/entry.ts'
import type { Admission } from '../admit.ts'
import { pathOf } from '../route/route.ts'
import type { Live, Tunnel } from '../tunnel/tunnel.ts'
import type { VisitorRequest } from './message.ts'

/** What came of a request. */
type Outcome = Pick<
  AccessEntry,
  'visitor' | 'secure' | 'status' | 'received' | 'sent' | 'firstByteMs' | 'ms' | 'by' | 'code'
> & {
  readonly tunnel: Tunnel | undefined
  /** Where it went; undefined: nowhere. */
  readonly live: Live | undefined
}

/** Tells the agent and the access log of a request that is over. */
export function tell(admission: Admission, request: VisitorRequest, outcome: Outcome): void {
  const { tunnel, live, visitor, secure, status, received, sent, firstByteMs, ms, by, code } = outcome
  const { method = '', url: target = '', httpVersion: version, headers } = request
  if (live !== undefined) {
    const { service, link } = live
    const path = pathOf(target).slice(0, 1024)
    const summary = { type: 'request', service, method, path, status, ms, received, sent, visitor } as const
    link.summarize(code === undefined ? summary : { ...summary, code })
  }
  // Written out: a copy of one object into another costs several times more, and this is on the way of each request.
  admission.account({
    at: Date.now(),
    visitor,
    host: headers.host ?? '',
    method,
    target,
    version,
    secure,
    status,
    received,
    sent,
    firstByteMs,
    ms,
    by,
    tunnel: tunnel?.name,
    agent: tunnel?.agent,
    code,
    referrer: headers.referer,
    userAgent: headers['user-agent'],
  })
}
