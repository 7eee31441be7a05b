import { calledAs, typeable } from '@engawa/shared/called'
import { codeOf } from '@engawa/shared/errors'
import { plainly } from '@engawa/shared/folder'
import { needNode } from '@engawa/shared/node'
import { Output } from '@engawa/shared/output'
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

/** They do not live by what they print. */
const SERVING: ReadonlySet<CommandName> = new Set<CommandName>(['expose', 'up'])

/** How long what is still to be sent may take after the end, milliseconds. */
const LEAVE_MS = 1000

/** The whole process: one command. Sets the exit code. */
export async function runProcess(): Promise<void> {
  const output = new Output(process.stdout)
  // A log that a full disk does not take stops nothing.
  process.stderr.on('error', () => {})
  process.exitCode = await main(process.argv.slice(2), output)
  setTimeout(() => process.exit(), LEAVE_MS).unref()
}

async function main(args: readonly string[], output: Output): Promise<number> {
  try {
    needNode()
    const line = await parseLine(args)
    if (line === undefined) return await answered(0, output)
    const { contextOf } = await import('./commands/context.ts')
    const run = await COMMANDS[line.command]()
    const exit = await run(contextOf(line))
    return SERVING.has(line.command) ? exit : await answered(exit, output)
  } catch (thrown) {
    const error = plainly(thrown)
    const code = codeOf(error)
    const text = typeable(told(error, languageOf(args)), 'agent', Object.keys(GRAMMAR), calledAs('agent'))
    process.stderr.write(`agent: ${printableLines(text)}\n`)
    if (code === 'INTERNAL') process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`)
    return exitOf(code)
  }
}

/** Who asked has the answer, or the command has failed, whatever it did. */
async function answered(exit: number, output: Output): Promise<number> {
  return (await output.arrived()) || exit !== 0 ? exit : 1
}
