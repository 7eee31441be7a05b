import type { Address } from '@engawa/shared/addresses'
import { type Clock, REAL_CLOCK } from '@engawa/shared/carrier/clock'
import { compileSooner } from '@engawa/shared/compiling'
import { codeOf, EngawaError } from '@engawa/shared/errors'
import { type FolderLock, lockFolder } from '@engawa/shared/lock'
import type { Logger } from 'pino'
import { Agent } from '../agent.ts'
import { type MetricsServer, startMetrics } from '../control/metrics.ts'
import { follow } from '../control/remote.ts'
import { type ControlServer, startControl } from '../control/server.ts'
import type { ShownEvent } from '../events.ts'
import { exitOf } from '../exit.ts'
import { exposedSecrets, type Identity, needIdentity } from '../identity.ts'
import type { Words } from '../show/words.ts'
import type { Owner } from '../tunnels.ts'
import { typedOf, type Wish } from '../wish.ts'

/** Between two looks at whether the folder is free, milliseconds: a further `expose` takes over within 1 s. */
const LOOK_MS = 200

/** As long as usual, milliseconds. */
export const DRAIN_MS = 30_000

/** An `up` that was replaced looks so often whether it is needed again, milliseconds. contract.md */
const REPLACED_MS = 600_000

/** One process that publishes: as the holder of the folder's session, or registered with the holder. */
export interface RunSettings {
  readonly folder: string
  readonly identity: Identity
  readonly log: Logger
  /** How many carriers the session has, if this process becomes its holder. */
  readonly carriers: number
  /** Looked at when it stops. */
  readonly drainMs: number
  /** `--admin`: where a Prometheus may ask, if this process becomes the holder. */
  readonly admin?: Address | undefined
  readonly tell: (event: ShownEvent) => void
  /** A line for people. */
  readonly say: (text: string) => void
  readonly words: Words
  readonly wishes: () => readonly Wish[]
  /** Called with a function that makes `wishes` hold after they have changed; answers how to end that. */
  readonly onChange?: (apply: () => void) => () => void
  /** Whether the process lives on when its identity is used elsewhere. */
  readonly staysReplaced: boolean
  /** Hears of the first signal, before what runs is finished. */
  readonly onStop?: () => void
  /** Stops, as by a first signal, once nobody reads what it shows (`| head -1`). */
  readonly needsReader: boolean
  /** Exits once every wish is refused. */
  readonly needsOne: boolean
  readonly clock?: Clock
}

/** Publishes until SIGTERM, SIGINT or the edge's last word; resolves with the exit code. */
export async function run(settings: RunSettings): Promise<number> {
  const stop = new Stop(settings.needsReader)
  let along = false
  try {
    for (;;) {
      const lock = tryLock(settings.folder)
      // Undefined: the one that held the session has gone, or its place may be free: look again who does.
      if (lock !== undefined && along && !stop.yields) settings.say(settings.words.takingOver)
      along = lock === undefined
      const code = lock === undefined ? await runAlong(settings, stop) : await runHolder(settings, stop, lock)
      if (code !== undefined) return code
      if (stop.asked) return 0
      // What another process did meanwhile may have been `leave`.
      needIdentity(settings.folder)
    }
  } finally {
    stop.close()
  }
}

/** First signal: drain. Second: at once. */
class Stop {
  /** The identity was used elsewhere: from then on this process takes over from nobody. */
  yields = false
  readonly first: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly second: PromiseWithResolvers<void> = Promise.withResolvers()
  asked = false
  readonly #signalled = (): void => {
    if (this.asked) this.second.resolve()
    this.asked = true
    this.first.resolve()
  }

  /** Ctrl-C ends the reader, too (`| tee FILE`): that is no second signal. */
  readonly #unread = ({ code }: NodeJS.ErrnoException): void => {
    if (code === 'EPIPE' && !this.asked) this.#signalled()
  }

  constructor(needsReader: boolean) {
    process.on('SIGINT', this.#signalled).on('SIGTERM', this.#signalled)
    if (needsReader) process.stdout.on('error', this.#unread)
  }

  close(): void {
    process.off('SIGINT', this.#signalled).off('SIGTERM', this.#signalled)
    process.stdout.off('error', this.#unread)
  }
}

function tryLock(folder: string): FolderLock | undefined {
  try {
    return lockFolder(folder)
  } catch (error) {
    if (codeOf(error) === 'FOLDER_LOCKED') return undefined
    throw error
  }
}

async function runHolder(settings: RunSettings, stop: Stop, lock: FolderLock): Promise<number | undefined> {
  const { folder, log, carriers, admin, say, words } = settings
  const exposed = exposedSecrets(folder)
  if (exposed.length > 0) log.warn({ files: exposed }, 'others may read these secrets: chmod 600 them')
  const agent = new Agent({ folder, identity: needIdentity(folder), log, carriers, admin, yields: stop.yields })
  let control: ControlServer | undefined
  let metrics: MetricsServer | undefined
  let endChange: (() => void) | undefined
  try {
    control = await startControl(folder, agent)
    metrics = admin && (await startMetrics(admin, agent))
    if (metrics !== undefined) log.info({ admin: metrics.address }, 'metrics')
    const owner = new Watched(settings, stop)
    agent.start()
    agent.join(owner, [])
    const apply = (): void => agent.replace(owner, settings.wishes())
    apply()
    compileSooner()
    endChange = settings.onChange?.(apply)
    const ending = await Promise.race([stop.first.promise, owner.ended])
    if (ending !== undefined) return await exitAfter(ending, settings, stop)
    settings.onStop?.()
    if (agent.busy) say(words.draining)
    await Promise.race([agent.stop(settings.drainMs), stop.second.promise])
    return 0
  } finally {
    endChange?.()
    agent.end()
    // The socket goes first: who finds it gone finds the lock free at once.
    await control?.close()
    await metrics?.close()
    lock.release()
  }
}

async function runAlong(settings: RunSettings, stop: Stop): Promise<number | undefined> {
  const owner = new Watched(settings, stop)
  let along: Awaited<ReturnType<typeof follow>> | undefined
  try {
    along = await follow(settings.folder, settings.wishes().map(typedOf), (event) => owner.tell(event))
  } catch (error) {
    if (codeOf(error) !== 'NOT_RUNNING') throw error
    // Its holder has just begun or is about to end.
    await Promise.race([new Promise((resolve) => setTimeout(resolve, LOOK_MS)), stop.first.promise])
    return undefined
  }
  // Changed wishes: register anew.
  const endChange = settings.onChange?.(() => along.close())
  try {
    const ending = await Promise.race([along.ended, stop.first.promise, owner.ended])
    return ending === undefined ? undefined : await exitAfter(ending, settings, stop)
  } finally {
    endChange?.()
    along.close()
  }
}

/**
 * `up` stays when its identity is used elsewhere: a service manager would only start it again and fight for the session.
 * After 10 min it looks whether the other has gone (undefined); it takes nothing from one that is there. protocol.md [H9]
 */
async function exitAfter(
  { code }: EngawaError,
  { staysReplaced, say, words, clock = REAL_CLOCK }: RunSettings,
  stop: Stop,
): Promise<number | undefined> {
  if (code === 'SESSION_CLOSED') return 0
  if (code !== 'REPLACED' || !staysReplaced) return exitOf(code)
  if (!stop.yields) say(words.replacedStays)
  stop.yields = true
  let timer: unknown
  const again = new Promise<void>((resolve) => {
    timer = clock.setTimer(resolve, REPLACED_MS)
  })
  await Promise.race([stop.first.promise, again])
  clock.clearTimer(timer)
  return stop.asked ? 0 : undefined
}

/** The owner of this process's tunnels; it knows when nothing of them is left to hope for. */
class Watched implements Owner {
  readonly #settings: RunSettings
  readonly #stop: Stop
  readonly #published: Set<string> = new Set()
  readonly #refused: Set<string> = new Set()
  readonly #ended: PromiseWithResolvers<EngawaError> = Promise.withResolvers()

  constructor(settings: RunSettings, stop: Stop) {
    this.#settings = settings
    this.#stop = stop
  }

  /** Why this process has no more to do: the edge's last word, or every wish was refused. */
  get ended(): Promise<EngawaError> {
    return this.#ended.promise
  }

  tell(event: ShownEvent): void {
    // What has been told when it was replaced is not told again each time it looks.
    if (!(event.event === 'ended' && event.code === 'REPLACED' && this.#stop.yields)) this.#settings.tell(event)
    if (event.event === 'connected') this.#stop.yields = false
    if (event.event === 'ended') this.#ended.resolve(new EngawaError(event.code, event.message))
    if (event.event === 'tunnel') {
      this.#refused.delete(event.name)
      this.#published.add(event.name)
    } else if (event.event === 'refused' || event.event === 'removed') {
      this.#published.delete(event.name)
      if (event.event === 'refused') this.#refused.add(event.name)
      const { needsOne, wishes } = this.#settings
      if (!needsOne || this.#published.size > 0) return
      // `agent rm` of the last one leaves nothing to do either, but that was wanted.
      if (event.event === 'refused' && this.#refused.size >= wishes().length) {
        this.#ended.resolve(new EngawaError(event.code, event.message))
      }
    }
  }
}
