import { askedFor } from '../access/asked.ts'
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
export function tell(admission: Admission, request: VisitorRequest, { tunnel, live, ...outcome }: Outcome): void {
  const { status, ms, received, sent, visitor, code } = outcome
  live?.link.summarize({
    type: 'request',
    service: live.service,
    method: request.method ?? '',
    path: pathOf(request.url ?? '').slice(0, 1024),
    status,
    ms,
    received,
    sent,
    visitor,
    ...(code === undefined ? {} : { code }),
  })
  admission.account({
    ...askedFor(request),
    ...outcome,
    at: Date.now(),
    tunnel: tunnel?.name,
    agent: tunnel?.agent,
  })
}
