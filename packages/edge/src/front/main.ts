import { type ChildProcess, spawn } from 'node:child_process'
import { isSea } from 'node:sea'
import { jsonText } from '@engawa/shared/json'
import { Front } from './front.ts'
import { GENERATION_VARIABLE } from './variable.ts'

/** `edge run`: the front, until a signal ends it. Answers the exit code. */
export async function runFront(): Promise<number> {
  const front = new Front({ spawn: spawnGeneration, log })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => front.signal())
  // Without a listener it would end the process, as it should when a terminal closes; logrotate sends it to services.
  if (!process.stdout.isTTY && !process.stderr.isTTY) process.on('SIGHUP', () => front.hangup())
  return front.run()
}

/** The same file by the same path, executed anew: after an upgrade that is another one. */
function spawnGeneration(): ChildProcess {
  const script = process.argv[1]
  const args = isSea() || script === undefined ? [] : [...process.execArgv, script]
  const env: NodeJS.ProcessEnv = { ...process.env, [GENERATION_VARIABLE]: '1' }
  // systemd wants signs of life of this process; the one that can stand still is the generation. sd_watchdog_enabled(3)
  if (env['WATCHDOG_PID'] === String(process.pid)) delete env['WATCHDOG_PID']
  return spawn(process.execPath, [...args, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env,
  })
}

/** As pino writes it; pino itself would take longer to load than all the rest of the front. */
function log(level: 'info' | 'warn' | 'error', facts: object, msg: string): void {
  process.stderr.write(`${jsonText({ level, time: new Date().toISOString(), ...facts, msg })}\n`)
}
