#!/usr/bin/env node
import { codeOf } from '@engawa/shared/errors'
import { told } from '@engawa/shared/say'
import { type CommandName, languageOf, parseLine } from './cli.ts'
import { leave, ls, release, rm } from './commands/ask.ts'
import { type Context, contextOf } from './commands/context.ts'
import { expose } from './commands/expose.ts'
import { join } from './commands/join.ts'
import { status } from './commands/status.ts'
import { up } from './commands/up.ts'
import { exitOf } from './exit.ts'

const COMMANDS: Record<CommandName, (context: Context) => Promise<number>> = {
  join,
  expose,
  up,
  ls,
  rm,
  release,
  status,
  leave,
}

/** How long what is still to be sent may take after the end, milliseconds. */
const LEAVE_MS = 1000

async function main(args: readonly string[]): Promise<number> {
  try {
    const line = await parseLine(args)
    return line === undefined ? 0 : await COMMANDS[line.command](contextOf(line))
  } catch (error) {
    const code = codeOf(error)
    process.stderr.write(`agent: ${told(error, languageOf(args))}\n`)
    if (code === 'INTERNAL') process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`)
    return exitOf(code)
  }
}

// Whoever read our output has gone (`agent ls | head -1`).
process.stdout.on('error', () => process.exit(1))
process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), LEAVE_MS).unref()
