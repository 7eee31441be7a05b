import { familyOf } from '@engawa/shared/addresses'
import { EngawaError } from '@engawa/shared/errors'
import { shownAddress } from '@engawa/shared/names'
import { quoted } from '@engawa/shared/say'
import { checkRecords, openResolver, type RecordState, recordsFor } from '../dns.ts'
import { ownAddresses, reachOf } from '../reach.ts'
import { table } from '../show/table.ts'
import type { Words } from '../show/words.ts'
import { openExisting } from '../state.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'

/** `edge dns`: the records to set, and whether they are; 0 only if every name leads here. */
export async function dns({ terminal, words, flags, folder }: Context): Promise<number> {
  const store = openExisting(folder)
  const known = store.meta.effective
  const leases = store.leases.all()
  store.close()
  const domain = known?.domain ?? 'localhost'
  const hosts = leases.filter(({ protocol }) => protocol === 'http' || protocol === 'tls').flatMap((it) => it.hosts)
  const addresses = flags.address?.map(parseIp) ?? publicAddresses(known?.addresses ?? [])
  const wanted = recordsFor({ domain, hosts, addresses, issuer: known?.issuer })
  if (wanted.length === 0 && domain === 'localhost') {
    if (flags.json !== true) terminal.out(`${words.dnsNone}\n`)
    return EXIT.done
  }
  if (addresses.length === 0) throw new EngawaError('FLAG_INVALID', words.dnsPrivate, { ja: words.dnsPrivate })
  const checked = await checkRecords(wanted, { addresses, resolver: openResolver(flags.resolver) })
  const wrong = [...new Set(checked.filter(({ state }) => isWrong(state)).map(({ record }) => record.name))]
  if (flags.json === true) {
    for (const { record, state } of checked) terminal.out(jsonLine({ event: 'record', ...record, ...state }))
  } else {
    const heads = words.dnsHeads
    const rows = checked.map(({ record, state }) => [
      shownAddress(record.name),
      record.type,
      record.value,
      told(state, words),
    ])
    terminal.out(table([heads.name, heads.type, heads.value, heads.state], rows))
    terminal.out(
      `\n${wrong.length === 0 ? words.dnsAllRight : words.dnsSomeWrong(wrong.map(shownAddress).join(', '))}\n`,
    )
  }
  return wrong.length === 0 ? EXIT.done : EXIT.failed
}

function isWrong({ state }: RecordState): boolean {
  return state !== 'right' && state !== 'optional'
}

function told(state: RecordState, words: Words): string {
  if (state.state === 'right') return words.dnsRight
  if (state.state === 'optional') return words.dnsOptional
  if (state.state === 'missing') return words.dnsMissing
  const found = state.found.join(', ')
  if (state.state === 'failed') return words.dnsFailed(found)
  return state.state === 'forbids' ? words.dnsForbids(found) : words.dnsElsewhere(found)
}

/** What agents dial where that is an address, else this machine's own. */
function publicAddresses(dialled: readonly string[]): string[] {
  const named = dialled.map((address) => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))
  const all = [...named.filter((host) => familyOf(host) !== 0), ...ownAddresses().map(({ address }) => address)]
  return [...new Set(all)].filter((address) => reachOf(address) === 'public')
}

function parseIp(text: string): string {
  if (familyOf(text) !== 0) return text
  throw new EngawaError('FLAG_INVALID', `--address: ${quoted(text)} is no IP address`, {
    ja: `--address: ${quoted(text)} は IP アドレスではありません`,
  })
}
