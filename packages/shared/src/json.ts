import { printable } from './terminal.ts'

/** One line of `--json`, without its end: what strangers have named may be looked at in a terminal too. */
export function jsonText(value: unknown): string {
  return printable(JSON.stringify(value))
}
