import { isLoopback4 } from './deliver/loopback.ts'
import { en } from './show/en.ts'
import { ja } from './show/ja.ts'
import type { Published } from './tunnels.ts'

/**
 * Tells, for a target that is published for the first time, that its service sees visitors as callers of its own machine:
 * many services ask nobody there for a password.
 */
export function warnOfTrust({ owner, name, wish }: Published): void {
  const { target, proxyProtocol, visitorAddress } = wish
  const { place } = target
  if (place.kind !== 'port' || proxyProtocol !== undefined || !(isLoopback4(place.host) || place.host === '::1')) return
  const seen = visitorAddress === undefined ? (place.host === '::1' ? '::1' : '127.0.0.1') : '127.0.0.0/8'
  const [message, inJapanese] = [en, ja].map((words) => words.localVisitors(target.text, seen)) as [string, string]
  owner.tell({ event: 'notice', name, code: 'LOCAL_VISITORS', message, ja: inJapanese })
}
