import { accessSync, constants, realpathSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { isSea } from 'node:sea'

type Program = 'edge' | 'agent'

/** What tells how a program was started. */
export interface Start {
  /** Node and this program are one file. */
  readonly single: boolean
  /** As it was typed: a name, or a path. */
  readonly argv0: string
  readonly execPath: string
  /** The script, where Node runs one. */
  readonly script: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number | undefined
}

/**
 * How to type a command of this program on this machine: a hint that cannot be typed is none. In a clone that is
 * `npx engawa-edge`, once installed `engawa-edge` or the short `edge`, with `sudo` where it came by sudo.
 */
export function calledAs(program: Program, start: Start = thisStart()): string {
  const sudo = start.uid === 0 && start.env['SUDO_USER'] !== undefined ? 'sudo ' : ''
  return `${sudo}${typed(program, start)}`
}

function typed(program: Program, { single, argv0, execPath, script, env }: Start): string {
  if (single) {
    const name = basename(argv0)
    return isOnPath(name, execPath, env['PATH']) ? name : argv0
  }
  // `npm run edge --` in a clone.
  if (env['npm_lifecycle_event'] === program) return `npm run ${program} --`
  if (script?.includes('/node_modules/.bin/') === true) return `npx engawa-${program}`
  if (script !== undefined && basename(script) === `engawa-${program}`) return basename(script)
  return program
}

function isOnPath(name: string, file: string, path: string | undefined): boolean {
  return (path ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return realpathSync(join(folder, name)) === realpathSync(file)
    } catch {
      return false
    }
  })
}

/** A text for people in which each `edge COMMAND` (or `agent COMMAND`) of this program is what they can type. */
export function typeable(text: string, program: Program, commands: readonly string[], called: string): string {
  if (called === program) return text
  // A command in bold comes after an escape sequence, which ends in a letter.
  const command = new RegExp(
    `(?:(?<=\\x1b\\[\\d+m)|(?<![\\w./-]|\\b(?:the|this|an|each|every|no) ))${program} (?=(?:${commands.join('|')}|--help)\\b)`,
    'g',
  )
  return text.replaceAll(command, `${called} `)
}

/** The words that start this program again, for who runs it as a service. */
export function ownCommand({ single, execPath, script }: Start = thisStart()): string[] {
  return single || script === undefined ? [execPath] : [execPath, ...process.execArgv, script]
}

function thisStart(): Start {
  return {
    single: isSea(),
    argv0: process.argv0,
    execPath: process.execPath,
    script: isSea() ? undefined : process.argv[1],
    env: process.env,
    uid: process.getuid?.(),
  }
}
