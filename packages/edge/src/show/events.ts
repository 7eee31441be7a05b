import { shownAddress, shownName } from '@engawa/shared/names'
import { printable } from '@engawa/shared/terminal'
import type { EdgeEvent } from '../events.ts'
import type { Words } from './words.ts'

/** One event as a line for people; `ready` is told at greater length elsewhere. */
export function eventLine(event: Exclude<EdgeEvent, { event: 'ready' }>, words: Words): string {
  const agent = printable(shownName(event.agent))
  switch (event.event) {
    case 'agent_online':
      return words.eventOnline(agent, event.remote)
    case 'agent_offline':
      return words.eventOffline(agent, reason(event.code, words))
    case 'agent_resumed':
      return words.eventResumed(agent, event.away_ms)
    case 'tunnel_open':
      return words.eventOpen(printable(shownAddress(event.public)), agent)
    default:
      return words.eventClosed(printable(shownAddress(event.public)))
  }
}

function reason(code: string, { offlineReasons }: Words): string {
  return Object.hasOwn(offlineReasons, code) ? offlineReasons[code as keyof typeof offlineReasons] : code
}
