import type { StatusReport } from '../admin/schemas.ts'
import { size, span } from '../show/figures.ts'
import { facts, table } from '../show/table.ts'
import { type Context, jsonLine } from './context.ts'
import { askRunning } from './control.ts'
import { EXIT } from './exits.ts'

/** `edge status`: 0 only if it serves. */
export async function status(context: Context): Promise<number> {
  const { terminal, words, language, flags } = context
  const report = await askRunning<StatusReport>(context, '/api/status')
  const exit = report.serves ? EXIT.done : EXIT.failed
  if (flags.json === true) {
    terminal.out(jsonLine(report))
    return exit
  }
  const head = report.serves ? words.statusServes : report.draining ? words.statusDraining : words.statusBroken
  const address = (text: string): string => (text === 'off' ? words.off : text)
  const { agents, tunnels } = report
  terminal.out(`${head}\n\n`)
  terminal.out(
    facts([
      [words.statusSince, words.statusSinceValue(span(report.uptimeMs, language), report.pid)],
      [words.runDomain, report.domain],
      [words.runHttp, address(report.http)],
      [words.runHttps, address(report.https)],
      [words.runAgents, address(report.carrier)],
      [words.runAdmin, address(report.admin)],
      [words.statusAgents, words.statusAgentsValue(agents.online, agents.known)],
      [words.statusTunnels, words.statusTunnelsValue(tunnels.live, tunnels.all)],
      [words.statusStreams, String(report.streams)],
      [words.statusTraffic, words.statusTrafficValue(size(report.received), size(report.sent))],
      [words.statusMemory, size(report.memoryBytes)],
      [words.statusData, report.data],
    ]),
  )
  if (report.links.length > 0) {
    const heads = words.linksHeads
    const order = ['agent', 'carrier', 'family', 'remote', 'rtt', 'inFlight', 'resent', 'heard'] as const
    terminal.out(
      `\n${table(
        order.map((key) => heads[key]),
        report.links.flatMap((link) => rowsOf(link, words)),
      )}`,
    )
  }
  return exit
}

function rowsOf({ agent, carriers }: StatusReport['links'][number], words: Context['words']): string[][] {
  if (carriers.length === 0) return [[agent, words.linkNone, '-', '-', '-', '-', '-', '-']]
  return carriers.map(({ carrier, family, remote, rttMs, inFlightBytes, resentBytes, heardMs, suspect }) => [
    agent,
    String(carrier),
    family ?? '-',
    remote,
    rttMs === undefined ? '-' : `${rttMs} ms`,
    size(inFlightBytes),
    size(resentBytes),
    (suspect ? words.linkSilent : words.linkHeard)((heardMs / 1000).toFixed(1)),
  ])
}
