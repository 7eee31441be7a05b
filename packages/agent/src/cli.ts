import { type Address, parseAddress } from '@engawa/shared/addresses'
import { plainHelp } from '@engawa/shared/help'
import { nearest } from '@engawa/shared/nearest'
import { parseWithinDay } from '@engawa/shared/quantities'
import { chooseLanguage, type Language } from '@engawa/shared/say'
import yargs, { type Argv } from 'yargs'
import { complaint } from './complaint.ts'
import { parseCarriers } from './config.ts'
import { PROXY_VERSIONS } from './deliver/proxy.ts'
import { en } from './show/en.ts'
import { ja } from './show/ja.ts'
import type { Words } from './show/words.ts'
import { version } from './version.ts'
import { VISITOR_ADDRESSES } from './wish.ts'

/** A command line, checked as far as it can be without looking at files. */
export interface Line {
  readonly command: CommandName
  /** What stands behind the command, without flags. */
  readonly rest: readonly string[]
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  /** Undefined: not said. So are the next two. */
  readonly drainMs: number | undefined
  readonly carriers: number | undefined
  /** `--admin ADDR`. */
  readonly admin: Address | undefined
  readonly language: Language
  readonly words: Words
}

export type CommandName = keyof typeof COMMANDS

type Kind = 'text' | 'list' | 'switch'
interface Flag {
  readonly kind: Kind
  readonly help: keyof Words
  readonly choices?: readonly string[]
  /** Names one thing: wrong with several targets. */
  readonly single?: boolean
}

const EVERYWHERE: Readonly<Record<string, Flag>> = {
  data: { kind: 'text', help: 'helpData' },
  config: { kind: 'text', help: 'helpConfig' },
  json: { kind: 'switch', help: 'helpJson' },
  'log-level': { kind: 'text', help: 'helpLogLevel', choices: ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] },
  lang: { kind: 'text', help: 'helpLang', choices: ['en', 'ja'] },
}
/** Of those that keep a session. */
const KEEPING: Readonly<Record<string, Flag>> = {
  carriers: { kind: 'text', help: 'helpCarriers' },
  drain: { kind: 'text', help: 'helpDrain' },
  admin: { kind: 'text', help: 'helpAdmin' },
}
const TUNNEL: Readonly<Record<string, Flag>> = {
  name: { kind: 'text', help: 'helpName', single: true },
  host: { kind: 'list', help: 'helpHost', single: true },
  path: { kind: 'text', help: 'helpPath', single: true },
  'strip-path': { kind: 'switch', help: 'helpStripPath', single: true },
  default: { kind: 'switch', help: 'helpDefault', single: true },
  balance: { kind: 'switch', help: 'helpBalance' },
  health: { kind: 'text', help: 'helpHealth' },
  port: { kind: 'text', help: 'helpPort', single: true },
  allow: { kind: 'list', help: 'helpAllow' },
  deny: { kind: 'list', help: 'helpDeny' },
  'host-header': { kind: 'text', help: 'helpHostHeader' },
  'insecure-target': { kind: 'switch', help: 'helpInsecure' },
  listing: { kind: 'switch', help: 'helpListing' },
  'proxy-protocol': { kind: 'text', help: 'helpProxy', choices: PROXY_VERSIONS },
  'visitor-address': { kind: 'text', help: 'helpVisitorAddress', choices: VISITOR_ADDRESSES },
  reach: { kind: 'list', help: 'helpReach' },
  qr: { kind: 'switch', help: 'helpQr' },
}

interface Command {
  readonly help: keyof Words
  /** Name of what is to follow, how it is explained, and one that can be typed. */
  readonly rest?: {
    readonly name: string
    readonly help: keyof Words
    readonly many: boolean
    readonly example: string
  }
  readonly flags: Readonly<Record<string, Flag>>
}

const NAME = { name: 'NAME', help: 'helpNameOf', many: false, example: 'blog' } as const
export const COMMANDS = {
  join: {
    help: 'helpJoin',
    rest: { name: 'LINE', help: 'helpLine', many: true, example: 'engawa1:…' },
    flags: EVERYWHERE,
  },
  expose: {
    help: 'helpExpose',
    rest: { name: 'TARGET', help: 'helpTarget', many: true, example: '8080' },
    flags: { ...TUNNEL, ...KEEPING, ...EVERYWHERE },
  },
  up: { help: 'helpUp', flags: { ...KEEPING, ...EVERYWHERE } },
  ls: { help: 'helpLs', flags: EVERYWHERE },
  rm: { help: 'helpRm', rest: NAME, flags: EVERYWHERE },
  release: { help: 'helpRelease', rest: NAME, flags: EVERYWHERE },
  status: { help: 'helpStatus', flags: EVERYWHERE },
  visitors: { help: 'helpVisitors', flags: EVERYWHERE },
  leave: { help: 'helpLeave', flags: EVERYWHERE },
  service: {
    help: 'helpService',
    rest: { name: 'ACTION', help: 'helpAction', many: false, example: 'install' },
    flags: EVERYWHERE,
  },
} as const satisfies Record<string, Command>

/** The language, told before anything is parsed, so that the first complaint already speaks it. */
export function languageOf(args: readonly string[]): Language {
  const at = args.findIndex((arg) => arg === '--lang' || arg.startsWith('--lang='))
  const value = args[at]?.split('=')[1] ?? args[at + 1]
  return chooseLanguage(at !== -1 && (value === 'ja' || value === 'en') ? value : undefined, process.env)
}

/** Undefined when help or the version was asked for and has been printed. Throws FLAG_INVALID, one message. */
export async function parseLine(args: readonly string[]): Promise<Line | undefined> {
  const language = languageOf(args)
  const words = language === 'ja' ? ja : en
  let shown = false
  const parser = build(words)
  const argv = (await parser.parseAsync([...args], {}, (_error, _argv, output) => {
    if (output === '') return
    shown = true
    process.stdout.write(plainHelp(output, 'agent'))
  })) as Record<string, unknown> & { _: (string | number)[] }
  if (shown) return undefined
  const [typed, ...extra] = argv._.map(String)
  if (typed === undefined) {
    firstUnknown(argv, EVERYWHERE)
    throw complaint('FLAG_INVALID', (w) => w.noCommand)
  }
  if (!Object.hasOwn(COMMANDS, typed)) {
    throw complaint('FLAG_INVALID', (w) => w.unknownCommand(typed, nearest(typed, Object.keys(COMMANDS))))
  }
  const name = typed as CommandName
  const command: Command = COMMANDS[name]
  const placed = argv[command.rest?.name ?? '']
  const rest = [...(Array.isArray(placed) ? placed : placed === undefined ? [] : [placed]).map(String), ...extra]
  firstUnknown(argv, command.flags)
  const flags = flagsOf(argv, command.flags)
  checkRest(command, name, rest)
  for (const [flag, { single }] of Object.entries(command.flags)) {
    // Those that share a name share all that goes with it.
    const shared = flags['balance'] === true && flag !== 'port'
    if (single === true && !shared && flags[flag] !== undefined && rest.length > 1)
      throw complaint('FLAG_INVALID', (w) => w.oneTargetOnly(`--${flag}`))
  }
  const drainMs = typeof flags['drain'] === 'string' ? parseWithinDay(flags['drain']) : undefined
  const carriers = typeof flags['carriers'] === 'string' ? parseCarriers(flags['carriers']) : undefined
  const admin = typeof flags['admin'] === 'string' ? parseAddress(flags['admin']) : undefined
  return { command: name, rest, flags, drainMs, carriers, admin, language, words }
}

function build(words: Words): Argv {
  let parser = yargs([])
    .scriptName('agent')
    .locale('en')
    .updateStrings({
      'Commands:': words.headCommands,
      'Positionals:': words.headArguments,
      'Options:': words.headOptions,
      'Examples:': words.headExamples,
    })
    .usage(words.usage)
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      'short-option-groups': false,
      'greedy-arrays': false,
    })
    .exitProcess(false)
    .help('help', words.helpHelp)
    .alias('help', 'h')
    .version('version', words.helpVersion, version())
    .wrap(80)
  for (const [name, spec] of Object.entries(COMMANDS)) {
    const command: Command = spec
    const { rest } = command
    const usage = rest === undefined ? name : `${name} [${rest.name}${rest.many ? '..' : ''}]`
    parser = parser.command(usage, words[command.help] as string, (y) => {
      if (rest !== undefined) y.positional(rest.name, { type: 'string', describe: words[rest.help] as string })
      return options(y, command.flags, words)
    })
  }
  for (const [example, what] of words.helpExamples) parser = parser.example(example, what)
  return options(parser, EVERYWHERE, words)
}

function options(parser: Argv, flags: Readonly<Record<string, Flag>>, words: Words): Argv {
  for (const [name, { kind, help }] of Object.entries(flags)) {
    parser.option(name, {
      type: kind === 'switch' ? 'boolean' : kind === 'list' ? 'array' : 'string',
      string: kind === 'list',
      describe: words[help] as string,
    })
  }
  return parser
}

function firstUnknown(argv: Readonly<Record<string, unknown>>, flags: Readonly<Record<string, Flag>>): void {
  for (const key of Object.keys(argv)) {
    if (key === '_' || key === '$0' || key === 'help' || key === 'h' || key === 'version' || /^[A-Z]+$/.test(key))
      continue
    if (Object.hasOwn(flags, key)) continue
    const dashes = key.length === 1 ? '-' : '--'
    const meant = nearest(key, Object.keys(flags))
    throw complaint('FLAG_INVALID', (w) => w.unknownFlag(dashes + key, meant === undefined ? undefined : `--${meant}`))
  }
}

function flagsOf(argv: Readonly<Record<string, unknown>>, known: Readonly<Record<string, Flag>>): Line['flags'] {
  const flags: Record<string, string | boolean | readonly string[] | undefined> = {}
  for (const [name, { kind, choices }] of Object.entries(known)) {
    const value = argv[name]
    if (value === undefined) continue
    if (kind === 'switch') {
      flags[name] = Array.isArray(value) ? value.at(-1) === true : value === true
      continue
    }
    const values = (Array.isArray(value) ? value : [value]).map(String)
    if (values.length === 0 || values.includes('')) throw complaint('FLAG_INVALID', (w) => w.flagEmpty(`--${name}`))
    if (kind === 'list') flags[name] = values
    else if (values.length > 1) throw complaint('FLAG_INVALID', (w) => w.flagTwice(`--${name}`))
    else {
      const text = values[0] ?? ''
      if (choices !== undefined && !choices.includes(text)) {
        throw complaint('FLAG_INVALID', (w) => w.flagChoice(`--${name}`, text, choices.join(', ')))
      }
      flags[name] = text
    }
  }
  return flags
}

function checkRest({ rest }: Command, name: string, given: readonly string[]): void {
  if (rest !== undefined && given.length === 0)
    throw complaint('FLAG_INVALID', (w) => w.missing(rest.name, name, rest.example))
  const extra = rest === undefined ? given[0] : rest.many ? undefined : given[1]
  if (extra !== undefined) throw complaint('FLAG_INVALID', (w) => w.tooMany(extra))
}
