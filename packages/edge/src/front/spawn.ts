import { type ChildProcess, spawn } from 'node:child_process'
import { isSea } from 'node:sea'
import { GENERATION_VARIABLE } from './variable.ts'

/** The same file by the same path, executed anew: after an upgrade that is another one. */
export function spawnGeneration(): ChildProcess {
  const script = process.argv[1]
  const args = isSea() || script === undefined ? [] : [...process.execArgv, script]
  const env: NodeJS.ProcessEnv = { ...process.env, [GENERATION_VARIABLE]: '1' }
  // systemd wants signs of life of this process; the one that can stand still is the generation. sd_watchdog_enabled(3)
  if (env['WATCHDOG_PID'] === String(process.pid)) delete env['WATCHDOG_PID']
  const child = spawn(process.execPath, [...args, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env,
  })
  // Whoever takes it up finds that it has no pid; until then nobody may be there to hear why.
  child.on('error', () => {})
  return child
}
