import { EngawaError } from '@engawa/shared/errors'
import { plainHelp } from '@engawa/shared/help'
import { nearest } from '@engawa/shared/nearest'
import yargs, { type Argv } from 'yargs'
import type { Words } from '../show/words.ts'
import {
  COMMANDS,
  type Command,
  type CommandShape,
  FLAGS,
  FLAGS_EVERYWHERE,
  type Flag,
  type FlagShape,
  type Flags,
} from './grammar.ts'

/** A command line that is right as far as its shape goes; values are checked by who uses them. */
export interface Line {
  readonly command: Command
  /** What follows the command, as many as its shape wants. */
  readonly words: readonly string[]
  readonly flags: Flags
}

const ALL: Record<string, FlagShape> = FLAGS
const SHAPES: Record<string, CommandShape> = COMMANDS

/** What help needs to know besides the grammar. */
export interface Look {
  readonly words: Words
  readonly columns: number
  /** The data folder when none is named. */
  readonly folder: string
}

/** Reads `argv` (without node and script). Answers the help where that was asked for. Throws FLAG_INVALID with one sentence. */
export async function readLine(
  argv: readonly string[],
  look: Look,
): Promise<Line | { help: string } | { version: true }> {
  const { words } = look
  const parser = parserOf(argv, look)
  const found = (await parser.parseAsync()) as Record<string, unknown> & { _: unknown[] }
  const typed = found._.map(String)
  const command = commandOf(typed)
  if (found['help'] === true) return { help: plainHelp(await parser.getHelp(), 'edge') }
  if (found['version'] === true) return { version: true }
  if (command === undefined) throw wrong(unknownCommand(typed, words))
  const shape: CommandShape = COMMANDS[command]
  refuseValues(argv, words)
  const flags = readFlags(found, command, shape, words)
  // yargs leaves what follows `--` beside the words it has places for.
  const over = typed.slice(command.split(' ').length)
  const named = shape.wants.map((want) => found[want] ?? over.shift())
  const missing = shape.wants[named.indexOf(undefined)]
  if (missing !== undefined) throw wrong(words.wordMissing(`edge ${command}`, missing))
  const [excess] = over
  if (excess !== undefined) throw wrong(unwantedWord(command, excess, words))
  return { command, words: named.map(String), flags }
}

/** The language asked for, before anything else is read: what is wrong is said in it. */
export function langFlag(argv: readonly string[]): string | undefined {
  const end = argv.indexOf('--')
  const flags = end < 0 ? argv : argv.slice(0, end)
  for (const [index, word] of flags.entries()) {
    if (word === '--lang') return flags[index + 1]
    if (word.startsWith('--lang=')) return word.slice('--lang='.length)
  }
  return undefined
}

function commandOf(typed: readonly string[]): Command | undefined {
  const two = typed.slice(0, 2).join(' ')
  if (Object.hasOwn(COMMANDS, two)) return two as Command
  const one = typed[0]
  return one !== undefined && Object.hasOwn(COMMANDS, one) ? (one as Command) : undefined
}

function unknownCommand(typed: readonly string[], words: Words): string {
  const first = typed[0]
  if (first === undefined) return words.commandMissing
  return words.commandUnknown(first, nearest(first, Object.keys(COMMANDS)))
}

function unwantedWord(command: Command, word: string, words: Words): string {
  const under = Object.keys(COMMANDS).filter((key) => key.startsWith(`${command} `))
  const meant = nearest(`${command} ${word}`, under)
  return meant === undefined
    ? words.wordTooMany(`edge ${command}`, word)
    : words.commandUnknown(`${command} ${word}`, meant)
}

/** yargs reads `--json=7` as false. */
function refuseValues(argv: readonly string[], words: Words): void {
  const end = argv.indexOf('--')
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const [, flag] = /^--([^=]+)=(?!true$|false$)/.exec(word) ?? []
    if (flag !== undefined && ALL[flag]?.kind === 'alone') throw wrong(words.flagTakesNone(`--${flag}`))
  }
}

function readFlags(found: Record<string, unknown>, command: Command, shape: CommandShape, words: Words): Flags {
  const mine: readonly string[] = [...shape.flags, ...FLAGS_EVERYWHERE]
  const flags: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(found)) {
    if (name === '_' || name === '$0' || value === undefined || shape.wants.includes(name)) continue
    const flag = (name.length === 1 ? '-' : '--') + name
    if (!mine.includes(name)) {
      const meant = nearest(name, mine)
      throw wrong(words.flagUnknown(flag, meant && `--${meant}`, `edge ${command}`))
    }
    flags[name] = readFlag(flag, ALL[name]?.kind, value, words)
  }
  return flags
}

function readFlag(flag: string, kind: FlagShape['kind'] | undefined, value: unknown, words: Words): unknown {
  if (kind === 'alone') return [value].flat().at(-1)
  const texts = [value].flat().map(String)
  if (kind === 'value' && texts.length > 1) throw wrong(words.flagTwice(flag))
  const parts = kind === 'values' ? texts.flatMap((text) => text.split(',')).map((part) => part.trim()) : texts
  if (parts.length === 0 || parts.includes('')) throw wrong(words.flagNeedsValue(flag))
  return kind === 'values' ? parts : parts[0]
}

function wrong(text: string): EngawaError {
  return new EngawaError('FLAG_INVALID', text)
}

/** yargs splits words from flags and writes the help. What is unknown, missing or too much is said by us, in both languages. */
function parserOf(argv: readonly string[], look: Look): Argv {
  const { words } = look
  const parser = yargs([...argv])
    .scriptName('edge')
    .locale('en')
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .exitProcess(false)
    .help(false)
    .version(false)
    .showHelpOnFail(false)
    .wrap(look.columns)
    .updateStrings({ 'Commands:': words.commandsHead, 'Options:': words.optionsHead })
    .usage(`${words.about}\n\n${words.usage}: edge ${words.usageWords}`)
    .epilogue(words.moreHelp)
  addFlags(parser, FLAGS_EVERYWHERE, look)
  for (const name of Object.keys(COMMANDS).filter((key) => !key.includes(' '))) addCommand(parser, name, look)
  return parser
}

/** Words that a command wants are optional to yargs: it would say in its own words that one is missing. */
function addCommand(parser: Argv, name: string, look: Look): void {
  const { wants, flags } = SHAPES[name] as CommandShape
  const last = name.split(' ').at(-1) as keyof Words['commands']
  const under = Object.keys(COMMANDS).filter((key) => key.startsWith(`${name} `))
  parser.command({
    command: [last, ...wants.map((want) => `[${want}]`)].join(' '),
    describe: look.words.commands[last],
    builder: (inner) => {
      for (const key of under) addCommand(inner, key, look)
      addFlags(inner, flags, look)
      return inner.epilogue('')
    },
    handler: () => {},
  })
}

function addFlags(parser: Argv, flags: readonly Flag[], { words, folder }: Look): void {
  for (const flag of flags) {
    const { kind, hint } = ALL[flag] as FlagShape
    const text = words.flags[flag].replace('{default}', folder)
    const describe = hint === undefined ? text : `${hint}: ${text}`
    parser.option(flag, {
      describe,
      // As the agent has it.
      ...(flag === 'help' && { alias: 'h' }),
      ...(kind === 'alone' ? { boolean: true } : { string: true, array: kind === 'values' }),
    })
  }
}
