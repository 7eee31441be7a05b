import type { ReloadReport } from '../reload.ts'
import { type Context, jsonLine } from './context.ts'
import { demandRunning } from './control.ts'
import { EXIT } from './exits.ts'

/** `edge reload`: edge.yaml is read again; a wrong one is refused, and the old one stays in force. */
export async function reload(context: Context): Promise<number> {
  const { terminal, words, flags } = context
  const report = await demandRunning<ReloadReport>(context, 'POST', '/api/reload')
  if (flags.json === true) {
    terminal.out(jsonLine(report))
    return EXIT.done
  }
  const { applied, later } = report
  terminal.out(`${applied.length > 0 ? words.reloaded(applied.join(', ')) : words.reloadedNone}\n`)
  if (later.length > 0) terminal.out(`${words.reloadLater(later.join(', '))}\n`)
  return EXIT.done
}
