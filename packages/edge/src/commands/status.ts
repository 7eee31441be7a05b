import { shownAddress, shownName } from '@engawa/shared/names'
import { printable } from '@engawa/shared/terminal'
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
      ...certificateFact(report, words),
      [words.statusStreams, String(report.streams)],
      [words.statusTraffic, words.statusTrafficValue(size(report.received), size(report.sent))],
      [words.statusMemory, size(report.memoryBytes)],
      [words.statusData, report.data],
    ]),
  )
  for (const line of certificateLines(report, words)) terminal.out(`\n${line}\n`)
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

function certificateFact({ certificates }: StatusReport, words: Context['words']): [string, string][] {
  if (certificates.length === 0) return []
  const good = certificates.filter(({ until, problem }) => until !== undefined || problem?.kind === 'file').length
  return [[words.statusCertificates, words.statusCertificatesValue(good, certificates.length)]]
}

/** What somebody has to do something about. */
function certificateLines({ certificates }: StatusReport, words: Context['words']): string[] {
  return certificates.flatMap(({ names, problem, nextTry }) => {
    if (problem === undefined) return []
    const why = words.certificateProblems[problem.kind](problem.host, problem.detail)
    const next = nextTry === undefined ? '' : ` (${words.certificateNext(nextTry.slice(0, 16).replace('T', ' '))} UTC)`
    return [printable(words.certificateProblem(names.map(shownAddress).join(', '), why) + next)]
  })
}

function rowsOf({ agent: name, carriers }: StatusReport['links'][number], words: Context['words']): string[][] {
  const agent = shownName(name)
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
