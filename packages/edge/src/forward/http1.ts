import { requestHead } from '../http1/ask.ts'
import { askByNode } from './node-client.ts'
import type { ServiceAgent } from './service.ts'
import type { Outgoing, Upstream, UpstreamEvents } from './upstream.ts'

/** Asks a service over HTTP/1.1. Throws SESSION_FULL, or INTERNAL for what can't be asked. */
export function askHttp1(asked: Outgoing, agent: ServiceAgent, events: UpstreamEvents): Upstream {
  // Some servers let go of their parser as soon as they see an Upgrade, whatever they answer: nothing follows it.
  if (asked.upgrade !== undefined) return askByNode(asked, agent.duplex(asked), events)
  const head = requestHead(asked, agent.lines.of(asked.fields))
  return agent.ask(asked, head, events)
}
