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
    tunnel.public,
    tunnel.agent,
    tunnel.target === '' ? '-' : tunnel.target,
    words.tunnelStates[tunnel.live ? 'live' : 'reserved'],
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
