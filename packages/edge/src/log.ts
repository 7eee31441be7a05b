import { printable } from '@engawa/shared/terminal'
import { type Level, type Logger, pino, stdTimeFunctions } from 'pino'

export type { Logger } from 'pino'

export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const satisfies readonly Level[]

/** What a log line could carry by accident. */
const SECRETS = [
  'secret',
  'token',
  'line',
  'key',
  'authorization',
  'cookie',
  '*.secret',
  '*.token',
  '*.authorization',
  '*.cookie',
]

/** One JSON object per line. Names, paths and addresses come from strangers: what could drive a terminal is written out. */
export function createLog(level: Level, write: (line: string) => void): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: SECRETS,
    },
    { write: (line: string) => write(`${printable(line.trimEnd())}\n`) },
  )
}
