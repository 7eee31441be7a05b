import { shownAddress, shownName } from '@engawa/shared/names'
import { printable } from '@engawa/shared/terminal'
import { ask } from '../control/remote.ts'
import { explainCheck } from '../show/explain.ts'
import { bytesText, spanText } from '../show/figures.ts'
import type { Status, StatusCarrier, StatusTunnel } from '../status.ts'
import { needState } from './ask.ts'
import type { Context } from './context.ts'

export async function status({ line, folder, say, sayJson }: Context): Promise<number> {
  needState(folder)
  const measured = (await ask(folder, 'GET', '/status')) as Status
  sayJson(measured)
  const { words } = line
  say(words.statusAgent(shownName(measured.agent), measured.pid))
  say(linkText(measured, line))
  for (const carrier of measured.carriers) carrierText(carrier, line).forEach(say)
  say(words.statusStreams(measured.streams))
  for (const former of measured.former) {
    say(words.statusFormer(former.streams))
    for (const carrier of former.carriers) carrierText(carrier, line).forEach(say)
  }
  for (const tunnel of measured.tunnels) tunnelText(tunnel, line).forEach(say)
  return 0
}

function linkText({ link, edge, away_ms, ended }: Status, { words, language }: Context['line']): string {
  if (link === 'online') return words.statusOnline(edge ?? '')
  if (link === 'silent') return `${words.statusOnline(edge ?? '')} (${words.suspect})`
  if (link === 'ended') return words.statusEnded((language === 'ja' ? ended?.ja : undefined) ?? ended?.message ?? '')
  return link === 'away' ? words.statusAway(Math.round((away_ms ?? 0) / 1000)) : words.statusConnecting
}

function carrierText(state: StatusCarrier, { words }: Context['line']): string[] {
  const { carrier, family, remote, local, rtt_ms, in_flight_bytes, resent_bytes, heard_ms, suspect } = state
  const rtt = rtt_ms === undefined ? words.unknown : `${rtt_ms} ms`
  const age = suspect ? `${spanText(heard_ms)} (${words.suspect})` : spanText(heard_ms)
  return [
    words.statusCarrier({ carrier, family: family ?? '', local: local ?? '', remote: remote ?? '' }),
    `    ${words.statusCarrierFigures({ rtt, inFlight: bytesText(in_flight_bytes), resent: bytesText(resent_bytes), age })}`,
  ]
}

function tunnelText(
  { name, public: address, target, service, check, traffic }: StatusTunnel,
  { words }: Context['line'],
): string[] {
  const reached = service.reachable ? words.statusReachable(service.ms) : words.statusUnreachable(service.code ?? '')
  const { total, open, received, sent, dropped } = traffic
  return [
    '',
    address === undefined ? words.waiting(shownName(name)) : printable(shownAddress(address)),
    `  -> ${target}  ${reached}`,
    `  ${words.traffic(total, open, bytesText(received), bytesText(sent))}`,
    ...(dropped > 0 ? [`  ${words.dropped(dropped)}`] : []),
    ...(check === undefined
      ? []
      : [`  ${explainCheck({ event: 'check', name, public: address ?? '', ...check }, words)}`]),
  ]
}
