import { LOG_OPTIONS, logStream } from '@engawa/shared/log'
import { type Level, type Logger, pino } from 'pino'

export type { Logger } from 'pino'

export const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const satisfies readonly Level[]

/** One JSON object per line. */
export function createLog(level: Level, write: (line: string) => void): Logger {
  return pino({ ...LOG_OPTIONS, level }, logStream(write))
}
