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
    { write: (line: string) => write(escapeControls(line)) },
  )
}

/** JSON escapes C0 itself; C1, DEL and bidirectional marks are left, and can only stand inside strings. */
export function escapeControls(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
