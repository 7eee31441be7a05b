import { resolve } from 'node:path'
import { EngawaError } from '@engawa/shared/errors'
import { defaultFolder } from '@engawa/shared/folder'
import { chooseLanguage, type Language, told } from '@engawa/shared/say'
import { LEVELS } from '../log.ts'
import { words as wordsIn } from '../show/words.ts'
import { version } from '../version.ts'
import { agents, rename, revoke } from './agents.ts'
import { ca } from './ca.ts'
import { check } from './check.ts'
import { type Context, jsonLine, type Terminal } from './context.ts'
import { EXIT, exitOf } from './exits.ts'
import type { Command } from './grammar.ts'
import { invite } from './invite.ts'
import { langFlag, readLine } from './line.ts'
import { run } from './run.ts'
import { status } from './status.ts'
import { tunnels } from './tunnels.ts'

const COMMANDS: Record<Command, (context: Context) => Promise<number>> = {
  run,
  invite,
  agents,
  'agents revoke': revoke,
  'agents rename': rename,
  tunnels,
  status,
  check,
  ca,
}

/** Runs one command line and answers its exit code. Whatever goes wrong is one message on stderr. */
export async function program(argv: readonly string[], terminal: Terminal): Promise<number> {
  const asked = langFlag(argv)
  const language = chooseLanguage(isLanguage(asked) ? asked : undefined, terminal.env)
  const words = wordsIn(language)
  try {
    const folder = defaultFolder('edge', terminal.env)
    const line = await readLine(argv, { words, columns: terminal.columns, folder })
    if ('help' in line) terminal.out(line.help)
    if ('version' in line) terminal.out(argv.includes('--json') ? jsonLine({ version: version() }) : `${version()}\n`)
    if (!('command' in line)) return EXIT.done
    const { flags } = line
    if (flags.lang !== undefined && !isLanguage(flags.lang)) throw wrong(words.langUnknown(flags.lang))
    const level = flags['log-level']
    if (level !== undefined && !LEVELS.some((known) => known === level)) throw wrong(words.levelUnknown(level))
    const data = flags.data === undefined ? folder : resolve(flags.data)
    return await COMMANDS[line.command]({ terminal, words, language, args: line.words, flags, folder: data })
  } catch (error) {
    terminal.err(`edge: ${told(error, language)}\n`)
    return exitOf(error)
  }
}

function isLanguage(text: string | undefined): text is Language {
  return text === 'en' || text === 'ja'
}

function wrong(text: string): EngawaError {
  return new EngawaError('FLAG_INVALID', text, { ja: text })
}
