import type { UpgradeReport } from '../admin/schemas.ts'
import { type Context, jsonLine } from './context.ts'
import { demandRunning } from './control.ts'
import { EXIT } from './exits.ts'

/** `edge upgrade`: the installed file takes over; what runs goes on in the former process. */
export async function upgrade(context: Context): Promise<number> {
  const { terminal, words, flags } = context
  const report = await demandRunning<UpgradeReport>(context, 'POST', '/api/upgrade')
  terminal.out(flags.json === true ? jsonLine(report) : `${words.upgraded}\n`)
  return EXIT.done
}
