import { EngawaError } from '@engawa/shared/errors'
import { serviceManager } from '@engawa/shared/manager'
import { printable } from '@engawa/shared/terminal'
import { loadConfig } from '../config.ts'
import { CARRIERS } from '../dial.ts'
import type { ShownEvent } from '../events.ts'
import { needIdentity } from '../identity.ts'
import { watchConfig } from '../reload.ts'
import { openShow } from '../show/show.ts'
import { type Context, openLog } from './context.ts'
import { DRAIN_MS, run } from './run.ts'

export async function up(context: Context): Promise<number> {
  const { line, folder, configFile } = context
  const identity = needIdentity(folder)
  let config = loadConfig(configFile, line.language)
  const { json } = line.flags
  const show = openShow({ words: line.words, language: line.language, json: json === true, qr: false })
  const log = openLog(context, 'info', (entry) => show.log(entry))
  const manager = serviceManager(process.env, (err) => log.warn({ err }, 'the service manager cannot be told'))
  const tell = (event: ShownEvent): void => {
    show.tell(event)
    if (event.event === 'connected' || event.event === 'disconnected') manager.status(event.event)
  }
  // As the file says by now.
  const drainMs = (): number => line.drainMs ?? config.drainMs ?? DRAIN_MS
  const sayIfNone = (): void => {
    if (config.tunnels.length === 0) show.say(printable(line.words.nothingListed(configFile)))
  }
  const reload = (apply: () => void): void => {
    try {
      config = loadConfig(configFile, line.language)
      show.tell({ event: 'reloaded', tunnels: config.tunnels.length })
      sayIfNone()
      apply()
    } catch (error) {
      if (!(error instanceof EngawaError)) throw error
      const { message, ja } = error
      show.tell({ event: 'config_refused', message, ...(ja !== undefined && { ja }) })
    }
  }
  try {
    // Not only once it has reached its edge: at boot the line may be long in coming.
    manager.ready()
    sayIfNone()
    return await run({
      folder,
      identity,
      log,
      carriers: line.carriers ?? config.carriers ?? CARRIERS,
      get drainMs() {
        return drainMs()
      },
      admin: line.admin ?? config.admin,
      tell,
      say: (told) => show.say(told),
      words: line.words,
      wishes: () => config.tunnels,
      onStop: () => manager.stopping(drainMs()),
      onChange: (apply) => watchConfig(configFile, () => reload(apply)),
      staysReplaced: true,
      needsReader: false,
      needsOne: false,
    })
  } finally {
    manager.stopping(0)
    show.close()
  }
}
