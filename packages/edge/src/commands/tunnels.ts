import { shownAddress, shownName } from '@engawa/shared/names'
import type { TunnelReport } from '../admin/schemas.ts'
import { size } from '../show/figures.ts'
import { fittingTable } from '../show/table.ts'
import { type Context, jsonLine } from './context.ts'
import { askRunning } from './control.ts'
import { EXIT } from './exits.ts'

/** `edge tunnels` */
export async function tunnels(context: Context): Promise<number> {
  const { terminal, words, flags } = context
  const list = await askRunning<TunnelReport[]>(context, '/api/tunnels')
  if (flags.json === true) {
    for (const tunnel of list) terminal.out(jsonLine(tunnel))
    return EXIT.done
  }
  if (list.length === 0) {
    terminal.out(`${words.tunnelsNone}\n`)
    return EXIT.done
  }
  const heads = words.tunnelsHeads
  const dropping = list.some(({ dropped }) => dropped > 0)
  const rows = list.map((tunnel) => [
    shownAddress(tunnel.public),
    shownName(tunnel.agent),
    tunnel.target === '' ? '-' : tunnel.target,
    words.tunnelStates[tunnel.live ? 'live' : 'reserved'],
    serviceOf(tunnel, words),
    String(tunnel.open),
    String(tunnel.total),
    size(tunnel.received),
    size(tunnel.sent),
    ...(dropping ? [String(tunnel.dropped)] : []),
  ])
  const order = [
    'address',
    'agent',
    'target',
    'state',
    'service',
    'open',
    'total',
    'received',
    'sent',
    ...(dropping ? (['dropped'] as const) : []),
  ] as const
  // Whoever reads it with a program wants one line a tunnel.
  const columns = terminal.outIsTty ? terminal.columns : Number.POSITIVE_INFINITY
  terminal.out(
    fittingTable(
      order.map((key) => heads[key]),
      rows,
      { columns, cuts: order.indexOf('target') },
    ),
  )
  return EXIT.done
}

/** As its last visitor found it. */
function serviceOf({ service }: TunnelReport, words: Context['words']): string {
  if (service === undefined) return '-'
  const seconds = (service.ageMs / 1000).toFixed(service.ageMs < 10_000 ? 1 : 0)
  return service.code === undefined ? words.serviceReached(seconds) : `${service.code}, ${words.linkHeard(seconds)}`
}
