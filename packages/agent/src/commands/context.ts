import { resolve } from 'node:path'
import { calledAs, typeable } from '@engawa/shared/called'
import { defaultFolder } from '@engawa/shared/folder'
import { jsonText } from '@engawa/shared/json'
import { LOG_OPTIONS, logStream } from '@engawa/shared/log'
import { printableLines } from '@engawa/shared/terminal'
import { type Logger, pino } from 'pino'
import { COMMANDS, type Line } from '../cli.ts'

/** What each command works with. */
export interface Context {
  readonly line: Line
  readonly folder: string
  /** agent.yaml, or what `--config` names. */
  readonly configFile: string
  /** Prints a result for people on stdout; nothing with `--json`. */
  readonly say: (text: string) => void
  /** Prints a result for programs; nothing without `--json`. */
  readonly sayJson: (value: unknown) => void
}

export function contextOf(line: Line): Context {
  const { data, config, json } = line.flags
  const folder = typeof data === 'string' ? resolve(data) : defaultFolder('agent')
  return {
    line,
    folder,
    configFile: typeof config === 'string' ? config : resolve(folder, 'agent.yaml'),
    say: (text) => {
      if (json === true) return
      const told = typeable(text, 'agent', Object.keys(COMMANDS), calledAs('agent'))
      process.stdout.write(`${printableLines(told)}\n`)
    },
    sayJson: (value) => {
      if (json === true) process.stdout.write(`${jsonText(value)}\n`)
    },
  }
}

/** Logs go to stderr; `write` may have to step around a live screen. */
export function openLog({ line }: Context, usual: string, write: (line: string) => void): Logger {
  const level = line.flags['log-level']
  return pino({ ...LOG_OPTIONS, level: typeof level === 'string' ? level : usual }, logStream(write))
}
