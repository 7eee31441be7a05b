import { styleText } from 'node:util'
import { compileSooner } from '@engawa/shared/compiling'
import { EngawaError } from '@engawa/shared/errors'
import { serviceManager } from '@engawa/shared/manager'
import type { RunningEdge } from '../edge.ts'
import type { EdgeEvent, ReadyEvent } from '../events.ts'
import { containFaults } from '../generation/faults.ts'
import { createLog } from '../log.ts'
import type { ReloadReport } from '../reload.ts'
import { eventLine } from '../show/events.ts'
import { facts } from '../show/table.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'
import { type ReadSettings, readSettings } from './settings.ts'

/** `edge run`, one serving process of it: until SIGTERM or SIGINT, or until another one has taken over and what ran here has finished. */
export async function run(context: Context): Promise<number> {
  const { terminal, words, flags, folder } = context
  const read = readSettings(context)
  // The front locks the folder while this process loads the rest.
  terminal.peers?.approach(folder)
  const { startEdge } = await import('../edge.ts')
  // A person who watches reads the events; the log then only breaks in with what is wrong.
  const usual = terminal.errIsTty && flags.json !== true ? 'warn' : 'info'
  const log = createLog((flags['log-level'] as 'info' | undefined) ?? usual, terminal.err)
  const stopping = new AbortController()
  let signals = 0
  const hurry = Promise.withResolvers<void>()
  // Stays to the end: a signal in the last moment must not make it look like a crash.
  terminal.onSignal(() => {
    signals++
    stopping.abort()
    if (signals > 1) hurry.resolve()
  })
  // Without a listener it would end the process, as it should when a terminal closes; logrotate sends it to services.
  let running: RunningEdge | undefined
  const reload = (): ReloadReport => {
    if (running === undefined) throw new EngawaError('EDGE_BUSY', 'the edge is still starting')
    return running.reload(readSettings(context).settings)
  }
  if (!terminal.outIsTty && !terminal.errIsTty) {
    terminal.onHangup(() => {
      running?.reopenLogs()
      try {
        if (running?.serves === true) reload()
      } catch (err) {
        log.error({ err }, 'the configuration is wrong; the old one stays in force')
      }
    })
  }
  const manager = serviceManager(terminal.env, (err) => log.warn({ err }, 'the service manager cannot be told'))
  const edge = await startEdge(read.settings, {
    folder,
    log,
    reload,
    ...(terminal.peers && { peers: terminal.peers }),
    nodeHttp: terminal.nodeHttp === true,
    onEvent: (event) => terminal.out(flags.json === true ? jsonLine(event) : told(event, context, read)),
  })
  running = edge
  // Without a front there is no other process that could take over.
  if (terminal.peers !== undefined) containFaults({ log, peers: terminal.peers, serves: () => edge.serves })
  compileSooner()
  manager.ready()
  const relieved = edge.relieved.then(() => true)
  if (await Promise.race([relieved, aborted(stopping.signal)])) {
    await edge.stop(0)
    log.info('what ran has finished; another process serves')
    return EXIT.done
  }
  // As a reload may have changed it.
  const { drainMs } = read.settings
  manager.stopping(drainMs)
  log.info({ drainMs }, 'stopping')
  if (flags.json !== true) terminal.out(`${words.runStopping(Math.ceil(drainMs / 1000))}\n`)
  await edge.stop(signals > 1 ? 0 : drainMs, hurry.promise)
  if (flags.json !== true) terminal.out(`${words.runStopped}\n`)
  return EXIT.done
}

function aborted(signal: AbortSignal): Promise<false> {
  if (signal.aborted) return Promise.resolve(false)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(false), { once: true }))
}

function told(event: EdgeEvent, context: Context, read: ReadSettings): string {
  if (event.event !== 'ready') return `${eventLine(event, context.words)}\n`
  return greeting(event, context, read)
}

/** Where it serves, and what to type next. */
function greeting(ready: ReadyEvent, { words, flags, terminal }: Context, { fallback }: ReadSettings): string {
  const say = (text: string): string => (text === 'off' ? words.off : text)
  const bold = (text: string): string => (terminal.outIsTty ? styleText('bold', text, { validateStream: false }) : text)
  const data = flags.data === undefined ? '' : ` --data ${flags.data}`
  const lines = [
    `${bold(words.runTitle(ready.version))}\n`,
    facts([
      [words.runDomain, ready.domain],
      [words.runHttp, say(ready.http)],
      [words.runHttps, say(ready.https)],
      [words.runAgents, say(ready.carrier)],
      [words.runAdmin, ready.admin === 'off' ? words.off : `http://${ready.admin}`],
    ]),
    fallback ? `${words.runPortsFallback(ready.http, ready.https)}\n` : '',
    `\n${words.runNext}\n\n  ${bold(`edge invite home${data}`)}\n\n`,
    `${words.runAgainst}\n`,
  ]
  return lines.join('')
}
