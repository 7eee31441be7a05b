import { shownAddress, shownName } from '@engawa/shared/names'
import { printable, printableLines } from '@engawa/shared/terminal'
import type { AgentEvent } from '../events.ts'
import type { Words } from './words.ts'

/** An event as one sentence for people; undefined where the address itself is the message. Nothing in it drives a terminal. */
export function explain(event: AgentEvent, words: Words): string | undefined {
  const sentence = sentenceOf(event, words)
  return sentence === undefined ? undefined : printableLines(sentence)
}

function sentenceOf(event: AgentEvent, words: Words): string | undefined {
  switch (event.event) {
    case 'connected':
      return words.connected(event.edge, undefined)
    case 'tunnel':
      return event.awaits_certificate === true ? words.awaitsCertificate : undefined
    case 'refused':
      return words.refused(shownName(event.name), event.code, refusal(event, words))
    case 'notice':
      return printable(event.message)
    case 'removed':
      return words.removed(shownName(event.name))
    case 'carrier_lost':
      return words.carrierLost(event.left)
    case 'disconnected':
      return words.disconnected(
        (event.code && words.closings[event.code]) ?? (event.message && printable(event.message)),
      )
    case 'resumed':
      return words.resumed(event.streams, event.away_ms)
    case 'service':
      if (event.reachable) return words.serviceBack(event.target)
      if (event.code === 'SERVICE_LOOP') return words.serviceLoop(event.target)
      if (event.target.startsWith('/')) return words.serviceNoFolder(event.target)
      if (event.code === 'SERVICE_CERTIFICATE') return words.serviceCertificate(event.target)
      return event.code === 'SERVICE_UNREACHABLE'
        ? words.serviceUnreachable(event.target)
        : words.serviceSilent(event.target)
    case 'check':
      return explainCheck(event, words)
    case 'ended':
      return printable(event.message)
    case 'reloaded':
      return words.reloaded(event.tunnels)
    default:
      return words.configRefused(event.message)
  }
}

function refusal(event: Extract<AgentEvent, { event: 'refused' }>, words: Words): string {
  if (event.used_for !== undefined) return words.nameUsedFor(event.used_for)
  return words.refusals[event.code] ?? printable(event.message)
}

export function explainCheck(check: Extract<AgentEvent, { event: 'check' }>, words: Words): string {
  const detail = printable(check.detail ?? '')
  const address = printable(shownAddress(check.public))
  if (check.ok) return words.checkOk(address)
  switch (check.failed) {
    case 'name':
      return words.checkName(address, detail)
    case 'address':
      return words.checkAddress(address, detail)
    case 'port':
      return words.checkPort(address)
    case 'certificate':
      return words.checkCertificate(address, detail)
    case 'answer':
      return words.checkAnswer(address, detail)
    case 'blocked':
      return words.checkBlocked(address)
    default:
      return words.checkSkipped(address)
  }
}
