import type { ChildProcess } from 'node:child_process'
import { EngawaError } from '@engawa/shared/errors'
import type { GenerationCalls } from './calls.ts'
import { Channel } from './channel.ts'

/**
 * starting: it makes itself ready · standing: every port listens, it waits for its turn · serving: what is new is its ·
 * leaving: it finishes what runs · gone.
 */
export type Phase = 'starting' | 'standing' | 'serving' | 'leaving' | 'gone'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One serving process, as the front sees it. */
export class Generation {
  readonly child: ChildProcess
  readonly channel: Channel<GenerationCalls>
  readonly startedAt: number = performance.now()
  /** As the store counts them; 0 until it is known. */
  number = 0
  phase: Phase = 'starting'
  /** Why it gave up before it served. */
  failure: EngawaError | undefined
  /** Resolves when every port listens. */
  readonly stood: PromiseWithResolvers<void> = Promise.withResolvers()
  /** Resolves when it may take what is new. */
  readonly turn: PromiseWithResolvers<void> = Promise.withResolvers()
  /** Resolves when it takes what is new. */
  readonly served: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly ended: Promise<Exit>

  constructor(child: ChildProcess, handlers: (self: Generation) => object) {
    this.child = child
    // Nobody may be there to hear of them.
    for (const { promise } of [this.stood, this.turn, this.served]) promise.catch(() => {})
    this.channel = new Channel(
      {
        // A child that has just died is noticed by its end.
        send: (message, handle) => void child.send(message, handle as never, () => {}),
      },
      handlers(this),
    )
    child.on('message', (message, handle) => this.channel.received(message, handle))
    this.ended = new Promise((resolve) => {
      const done = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.phase = 'gone'
        this.channel.close()
        const failure =
          this.failure ?? new EngawaError('INTERNAL', describe({ code, signal }), { ja: describeJa(code, signal) })
        for (const wait of [this.stood, this.turn, this.served]) wait.reject(failure)
        resolve({ code, signal })
      }
      child.once('exit', done)
      child.once('error', (cause) => {
        this.failure ??= unstartable(cause)
        if (child.pid === undefined) done(1, null)
      })
      // What came before anybody listened here.
      if (child.exitCode !== null || child.signalCode !== null) done(child.exitCode, child.signalCode)
      else if (child.pid === undefined) setImmediate(() => done(1, null))
    })
  }
}

function unstartable(cause: Error): EngawaError {
  return new EngawaError('INTERNAL', `the edge’s program cannot be started: ${cause.message}`, {
    cause,
    ja: `エッジのプログラムを起動できません: ${cause.message}`,
  })
}

function describe({ code, signal }: Exit): string {
  return `the new process ended (${signal ?? code}) before it served; its log says why`
}

function describeJa(code: number | null, signal: NodeJS.Signals | null): string {
  return `新しいプロセスはサービスを始める前に終了しました (${signal ?? code})。理由はログにあります`
}
