import { calledAs, typeable } from '@engawa/shared/called'
import { codeOf } from '@engawa/shared/errors'
import { plainly } from '@engawa/shared/folder'
import { needNode } from '@engawa/shared/node'
import { told } from '@engawa/shared/say'
import { printableLines } from '@engawa/shared/terminal'
import { type CommandName, COMMANDS as GRAMMAR, languageOf, parseLine } from './cli.ts'
import type { Context } from './commands/context.ts'
import { exitOf } from './exit.ts'

type Run = (context: Context) => Promise<number>

/** Loaded when they are wanted: `--help` and a mistyped flag answer at once. */
const COMMANDS: Record<CommandName, () => Promise<Run>> = {
  join: async () => (await import('./commands/join.ts')).join,
  expose: async () => (await import('./commands/expose.ts')).expose,
  up: async () => (await import('./commands/up.ts')).up,
  ls: async () => (await import('./commands/ask.ts')).ls,
  rm: async () => (await import('./commands/ask.ts')).rm,
  release: async () => (await import('./commands/ask.ts')).release,
  status: async () => (await import('./commands/status.ts')).status,
  visitors: async () => (await import('./commands/ask.ts')).visitors,
  leave: async () => (await import('./commands/ask.ts')).leave,
  service: async () => (await import('./commands/service.ts')).service,
}

/** How long what is still to be sent may take after the end, milliseconds. */
const LEAVE_MS = 1000

/** The whole process: one command. Sets the exit code. */
export async function runProcess(): Promise<void> {
  // Whoever read our output has gone (`agent ls | head -1`).
  process.stdout.on('error', () => process.exit(1))
  process.exitCode = await main(process.argv.slice(2))
  setTimeout(() => process.exit(), LEAVE_MS).unref()
}

async function main(args: readonly string[]): Promise<number> {
  try {
    needNode()
    const line = await parseLine(args)
    if (line === undefined) return 0
    const { contextOf } = await import('./commands/context.ts')
    const run = await COMMANDS[line.command]()
    return await run(contextOf(line))
  } catch (thrown) {
    const error = plainly(thrown)
    const code = codeOf(error)
    const text = typeable(told(error, languageOf(args)), 'agent', Object.keys(GRAMMAR), calledAs('agent'))
    process.stderr.write(`agent: ${printableLines(text)}\n`)
    if (code === 'INTERNAL') process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`)
    return exitOf(code)
  }
}
