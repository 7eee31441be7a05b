import { resolve } from 'node:path'
import { calledAs, typeable } from '@engawa/shared/called'
import { EngawaError } from '@engawa/shared/errors'
import { defaultFolder, plainly } from '@engawa/shared/folder'
import { needNode } from '@engawa/shared/node'
import { chooseLanguage, type Language, told } from '@engawa/shared/say'
import { printableLines } from '@engawa/shared/terminal'
import { LEVELS } from '../log.ts'
import { words as wordsIn } from '../show/words.ts'
import { version } from '../version.ts'
import { type Context, jsonLine, type Terminal } from './context.ts'
import { EXIT, exitOf } from './exits.ts'
import type { Command } from './grammar.ts'
import { langFlag, readLine } from './line.ts'

type Handler = (context: Context) => Promise<number>

/** Loaded when called for: `edge status` should not wait for what only `edge run` needs. */
const COMMANDS: Record<Command, () => Promise<Handler>> = {
  run: async () => (await import('./run.ts')).run,
  invite: async () => (await import('./invite.ts')).invite,
  agents: async () => (await import('./agents.ts')).agents,
  'agents revoke': async () => (await import('./agents.ts')).revoke,
  'agents rename': async () => (await import('./agents.ts')).rename,
  tunnels: async () => (await import('./tunnels.ts')).tunnels,
  status: async () => (await import('./status.ts')).status,
  check: async () => (await import('./check.ts')).check,
  ca: async () => (await import('./ca.ts')).ca,
  dns: async () => (await import('./dns.ts')).dns,
  backup: async () => (await import('./backup.ts')).backup,
  restore: async () => (await import('./backup.ts')).restore,
  reload: async () => (await import('./reload.ts')).reload,
  upgrade: async () => (await import('./upgrade.ts')).upgrade,
}

/** Runs one command line and answers its exit code. Whatever goes wrong is one message on stderr. */
export async function program(argv: readonly string[], plain: Terminal): Promise<number> {
  const terminal = argv.includes('--json') ? plain : hinting(plain)
  const asked = langFlag(argv)
  const language = chooseLanguage(isLanguage(asked) ? asked : undefined, terminal.env)
  const words = wordsIn(language)
  try {
    needNode()
    const folder = defaultFolder('edge', terminal.env)
    const line = await readLine(argv, { words, columns: terminal.columns, folder })
    if ('help' in line) plain.out(line.help)
    if ('version' in line) terminal.out(argv.includes('--json') ? jsonLine({ version: version() }) : `${version()}\n`)
    if (!('command' in line)) return await answered(EXIT.done, terminal)
    const { flags } = line
    if (flags.lang !== undefined && !isLanguage(flags.lang)) throw wrong(words.langUnknown(flags.lang))
    const level = flags['log-level']
    if (level !== undefined && !LEVELS.some((known) => known === level)) throw wrong(words.levelUnknown(level))
    const data = flags.data === undefined ? folder : resolve(flags.data)
    const handle = await COMMANDS[line.command]()
    const exit = await handle({ terminal, words, language, args: line.words, flags, folder: data })
    // What serves does not live by what it prints.
    return line.command === 'run' ? exit : await answered(exit, terminal)
  } catch (thrown) {
    const error = plainly(thrown)
    // What was typed, or stands in a file, is told as text.
    terminal.peers?.fail(error)
    terminal.err(`edge: ${printableLines(told(error, language))}\n`)
    return exitOf(error)
  }
}

/** Who asked has the answer, or the command has failed, whatever it did. */
async function answered(exit: number, { arrived }: Terminal): Promise<number> {
  const hasArrived = arrived === undefined || (await arrived())
  return hasArrived || exit !== EXIT.done ? exit : EXIT.failed
}

/** Hints name a command as it can be typed here. */
function hinting(terminal: Terminal): Terminal {
  const called = calledAs('edge')
  const commands = Object.keys(COMMANDS)
  return {
    ...terminal,
    out: (text) => terminal.out(typeable(text, 'edge', commands, called)),
    err: (text) => terminal.err(typeable(text, 'edge', commands, called)),
  }
}

function isLanguage(text: string | undefined): text is Language {
  return text === 'en' || text === 'ja'
}

function wrong(text: string): EngawaError {
  return new EngawaError('FLAG_INVALID', text, { ja: text })
}
