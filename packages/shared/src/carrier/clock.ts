import { performance } from 'node:perf_hooks'

/** Monotonic time, timers and the end of a loop turn; tests bring their own. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number
  setTimer(run: () => void, delayMs: number): unknown
  clearTimer(timer: unknown): void
  /** Runs after what is readable now has been read. */
  soon(run: () => void): void
}

export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  setTimer: (run, delayMs) => setTimeout(run, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  soon: (run) => setImmediate(run),
}
