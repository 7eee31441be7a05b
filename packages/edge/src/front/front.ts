import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { EngawaError } from '@engawa/shared/errors'
import { makeFolder } from '@engawa/shared/folder'
import { type FolderLock, lockFolder } from '@engawa/shared/lock'
import type { FrontCalls, Passed } from './calls.ts'
import { type Handlers, WithHandle } from './channel.ts'
import { type Exit, Generation } from './generation.ts'
import { type Handle, HeldSockets } from './held.ts'
import { awaitUnseen } from './presence.ts'

/** How long a new generation may take until it listens everywhere, ms: a slow machine makes keys, ports are tried. */
const STAND_MS = 60_000
/** How long the former one may take to stop listening, ms; it is busy, or hangs: then it is left behind. */
const HAND_OVER_MS = 10_000
/** How long the others may take to answer, ms. */
const ANSWER_MS = 2000
/** A generation that crashes is started anew, the first time at once, then after so many ms, doubling. */
const RESTART_MS = { first: 100, most: 10_000 }
/** One that has served so long has not crashed at its start, ms. */
const STEADY_MS = 60_000
/** After the second signal, ms: a process that hangs is killed. */
const KILL_MS = 5000

export interface FrontOptions {
  /** Starts the installed file anew as a generation. */
  readonly spawn: () => ChildProcess
  /** A line for the log. */
  readonly log: (level: 'info' | 'warn' | 'error', facts: object, what: string) => void
}

/**
 * What lives as long as the edge: it holds the folder and the listening sockets, and reads from none of them. Its
 * children, the generations, serve. It imports next to nothing, so that an edge starts as fast with it as without.
 */
export class Front {
  readonly #options: FrontOptions
  readonly #generations = new Set<Generation>()
  readonly #sockets = new HeldSockets<Generation>()
  readonly #ended: PromiseWithResolvers<number> = Promise.withResolvers()
  #lock: FolderLock | undefined
  #serving: Generation | undefined
  /** The one that is to serve next. */
  #next: Generation | undefined
  #everServed = false
  #signals = 0
  #crashes = 0
  #restart: NodeJS.Timeout | undefined

  constructor(options: FrontOptions) {
    this.#options = options
  }

  /** Serves until it is told to stop, or its first generation fails. Resolves with the exit code. */
  run(): Promise<number> {
    this.#begin()
    return this.#ended.promise
  }

  /** First: drain. Second: at once. */
  signal(): void {
    this.#signals++
    clearTimeout(this.#restart)
    if (this.#generations.size === 0) return this.#finish(0)
    for (const { channel } of this.#generations) channel.tell('stop', {})
    if (this.#signals !== 2) return
    setTimeout(() => {
      for (const { child } of this.#generations) child.kill('SIGKILL')
    }, KILL_MS).unref()
  }

  hangup(): void {
    for (const { channel } of this.#generations) channel.tell('hangup', {})
  }

  /**
   * Lets a generation of the installed file take over; the present one finishes what runs.
   * Throws what kept the new one from serving: the present one goes on as if nothing had been.
   */
  async upgrade(): Promise<Generation> {
    if (this.#next !== undefined || this.#signals > 0) {
      throw new EngawaError('EDGE_DRAINING', 'an upgrade or a stop is under way', { ja: '更新または停止の途中です' })
    }
    const next = this.#begin()
    this.#next = next
    const timer = setTimeout(() => {
      next.failure = new EngawaError('INTERNAL', `the new process does not listen after ${STAND_MS / 1000} s`, {
        ja: `新しいプロセスが ${STAND_MS / 1000} 秒たっても準備できません`,
      })
      next.child.kill('SIGKILL')
    }, STAND_MS)
    try {
      await next.stood.promise
      await this.#relieve(next)
      next.turn.resolve()
      await next.served.promise
      return next
    } catch (error) {
      next.child.kill('SIGKILL')
      throw error
    } finally {
      clearTimeout(timer)
      if (this.#next === next) this.#next = undefined
      // The former one has stopped listening, or has died meanwhile, and nobody has come in its place.
      if (this.#serving === undefined) this.#again()
    }
  }

  #begin(): Generation {
    const generation = new Generation(this.#options.spawn(), (self) => this.#handlers(self))
    this.#generations.add(generation)
    void generation.ended.then((exit) => this.#gone(generation, exit))
    if (this.#signals > 0) generation.channel.tell('stop', {})
    return generation
  }

  #handlers(self: Generation): Handlers<FrontCalls> {
    return {
      enter: ({ folder }) => this.#enter(folder),
      held: ({ keys }) => keys.filter((key) => this.#sockets.has(key)),
      socket: ({ key }) => {
        const handle = this.#sockets.take(key, self)
        return handle === undefined ? { held: false } : new WithHandle({ held: true }, handle)
      },
      keep: ({ key }, handle) => this.#sockets.keep(key, self, handle as Handle),
      drop: ({ key }) => this.#sockets.drop(key, self),
      stand: ({ generation }) => {
        self.number = generation
        self.phase = 'standing'
        self.stood.resolve()
        this.#introduce()
        // Nobody else serves: its turn is now.
        if (this.#next !== self) self.turn.resolve()
        return self.turn.promise
      },
      serve: () => this.#served(self),
      fail: ({ code, message, ja }) => {
        self.failure = new EngawaError(code, message, { ja })
      },
      pass: (passed, socket) => this.#pass(self, passed, socket as Socket | undefined),
      tell: (news) => {
        for (const other of this.#others(self)) other.channel.tell('tell', news)
      },
      ask: async (question) => {
        const answers = this.#others(self).map((other) =>
          within(ANSWER_MS, other.channel.call('ask', question)).then(
            ({ body }) => [body],
            () => [],
          ),
        )
        return (await Promise.all(answers)).flat()
      },
      upgrade: async () => {
        const { number, child } = await this.upgrade()
        return { generation: number, pid: child.pid ?? 0 }
      },
    }
  }

  #enter(folder: string): void {
    if (this.#lock !== undefined) return
    makeFolder(folder)
    this.#lock = lockFolder(folder)
    awaitUnseen(folder)
  }

  #served(self: Generation): void {
    self.phase = 'serving'
    this.#serving = self
    this.#everServed = true
    this.#introduce()
    this.#sockets.sweep()
    self.served.resolve()
  }

  /** The one that serves now stops listening; what runs on it goes on. */
  async #relieve(next: Generation): Promise<void> {
    const former = this.#serving
    if (former === undefined) return
    former.phase = 'leaving'
    this.#serving = undefined
    try {
      await within(HAND_OVER_MS, former.channel.call('handOver', { to: next.number }))
    } catch (error) {
      this.#options.log('error', { generation: former.number, err: String(error) }, 'the former generation hangs')
    }
  }

  /** Everybody learns who is there: a carrier belongs to the one that its server name says. protocol.md [C1] */
  #introduce(): void {
    const numbered = [...this.#generations].filter(({ number }) => number > 0)
    for (const one of numbered) {
      const generations = numbered.filter((other) => other !== one).map(({ number }) => number)
      one.channel.tell('others', { generations })
    }
  }

  #others(self: Generation): Generation[] {
    return [...this.#generations].filter((other) => other !== self && other.number > 0)
  }

  /** To the generation that the server name says, else to the newest. */
  #pass(from: Generation, passed: Passed, socket: Socket | undefined): void {
    if (socket === undefined) return
    socket.on('error', () => {})
    const wanted = Number(/^g(\d+)\./.exec(passed.serverName)?.[1] ?? 0)
    const others = this.#others(from)
    const to = others.find(({ number }) => number === wanted) ?? others.toSorted((a, b) => b.number - a.number)[0]
    if (to === undefined) return void socket.destroy()
    to.channel.tell('pass', passed, socket)
  }

  #gone(generation: Generation, { code, signal }: Exit): void {
    this.#generations.delete(generation)
    this.#sockets.left(generation)
    if (this.#serving === generation) this.#serving = undefined
    this.#introduce()
    if (!this.#everServed) return this.#finish(code ?? 1)
    if (this.#signals > 0) {
      if (this.#generations.size === 0) this.#finish(0)
      return
    }
    if (this.#serving !== undefined || this.#next !== undefined) return
    if ([...this.#generations].some(({ phase }) => phase !== 'leaving')) return
    const facts = { generation: generation.number, pid: generation.child.pid, code, signal }
    this.#options.log('error', facts, 'no process serves; one is started')
    if (performance.now() - generation.startedAt > STEADY_MS) this.#crashes = 0
    this.#again()
  }

  #again(): void {
    if (this.#restart !== undefined || this.#signals > 0) return
    const { first, most } = RESTART_MS
    const delayMs = this.#crashes === 0 ? 0 : Math.min(most, first * 2 ** (this.#crashes - 1))
    this.#crashes++
    this.#restart = setTimeout(() => {
      this.#restart = undefined
      this.#begin()
    }, delayMs)
  }

  #finish(code: number): void {
    clearTimeout(this.#restart)
    this.#sockets.sweep()
    this.#lock?.release()
    this.#lock = undefined
    this.#ended.resolve(code)
  }
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new EngawaError('INTERNAL', `no answer in ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
