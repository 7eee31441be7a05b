import { printable } from './terminal.ts'

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

/** Options for pino, the same in both programs: levels by name, times in ISO 8601 (UTC), no secrets. */
export const LOG_OPTIONS: {
  readonly base: null
  readonly timestamp: () => string
  readonly formatters: { readonly level: (label: string) => { level: string } }
  readonly redact: string[]
} = {
  base: null,
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label) => ({ level: label }) },
  redact: SECRETS,
}

/** Where pino writes. Names, paths and addresses come from strangers: what could drive a terminal is written out. */
export function logStream(write: (line: string) => void): { write(line: string): void } {
  return { write: (line) => write(`${printable(line.trimEnd())}\n`) }
}
