import { type Code, codeOf } from '@engawa/shared/errors'

/** Exit codes of contract.md. */
export const EXIT = { done: 0, failed: 1, wrong: 2, unreachable: 4 } as const

const WRONG: ReadonlySet<Code> = new Set<Code>([
  'FLAG_INVALID',
  'CONFIG_INVALID',
  'ADDRESS_INVALID',
  'NAME_INVALID',
  'TARGET_INVALID',
])

/** What a command that threw ends with. */
export function exitOf(error: unknown): number {
  const code = codeOf(error)
  if (WRONG.has(code)) return EXIT.wrong
  return code === 'NOT_RUNNING' ? EXIT.unreachable : EXIT.failed
}
