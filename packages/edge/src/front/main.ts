import type { ChildProcess } from 'node:child_process'
import { jsonText } from '@engawa/shared/json'
import { Front } from './front.ts'
import { spawnGeneration } from './spawn.ts'

/** `edge run`: the front, until a signal ends it. Answers the exit code. `first` is its first generation, begun already. */
export async function runFront(first: ChildProcess): Promise<number> {
  const begun = [first]
  const front = new Front({ spawn: () => begun.pop() ?? spawnGeneration(), log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => front.signal())
  // Without a listener it would end the process, as it should when a terminal closes; logrotate sends it to services.
  if (!process.stdout.isTTY && !process.stderr.isTTY) process.on('SIGHUP', () => front.hangup())
  return front.run()
}

/** As pino writes it; pino itself would take longer to load than all the rest of the front. */
function log(level: 'info' | 'warn' | 'error', facts: object, msg: string): void {
  process.stderr.write(`${jsonText({ level, time: new Date().toISOString(), ...facts, msg })}\n`)
}
