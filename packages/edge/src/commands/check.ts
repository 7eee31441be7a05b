import { formatAddress } from '@engawa/shared/addresses'
import { formatRanges } from '@engawa/shared/ports'
import { facts } from '../show/table.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'
import { readSettings } from './settings.ts'

/** `edge check`: works before the first run. What is wrong was thrown. */
export async function check(context: Context): Promise<number> {
  const { terminal, words, flags } = context
  const { settings } = readSettings(context)
  const address = (value: typeof settings.https | undefined): string =>
    value === undefined || value === 'off' ? 'off' : formatAddress(value)
  const { domain, http, https, carrier, admin, tcpPorts, udpPorts } = settings
  const found = {
    domain,
    http: address(http),
    https: address(https),
    carrier: address(carrier ?? https),
    admin: address(admin),
    'tcp-ports': formatRanges(tcpPorts),
    'udp-ports': formatRanges(udpPorts),
  }
  if (flags.json === true) {
    terminal.out(jsonLine({ event: 'checked', ...found }))
    return EXIT.done
  }
  const say = (text: string): string => (text === 'off' ? words.off : text)
  terminal.out(`${words.checkFine}\n\n`)
  terminal.out(
    facts([
      [words.runDomain, found.domain],
      [words.runHttp, found.http],
      [words.runHttps, say(found.https)],
      [words.runAgents, say(found.carrier)],
      [words.runAdmin, say(found.admin)],
      [words.checkTcpPorts, found['tcp-ports']],
      [words.checkUdpPorts, found['udp-ports']],
    ]),
  )
  return EXIT.done
}
