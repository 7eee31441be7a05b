import t from 'tap'
import { LONG } from './patience.ts'
import { isReplay, Random, seedOfRun } from './random.ts'
import { anySchedule, run, type Schedule, shrink } from './schedule.ts'

const BATCHES = 5

function errorOf(schedule: Schedule): Error | undefined {
  try {
    run(schedule)
  } catch (error) {
    return error as Error
  }
  return undefined
}

/** Throws with all that is needed to see it again. */
function check(seed: number, isTapped: boolean): void {
  const schedule = anySchedule(new Random(seed), isTapped)
  const error = errorOf(schedule)
  if (error === undefined) return
  const least = shrink(schedule, (candidate) => errorOf(candidate) !== undefined)
  const { settings, isEager, steps } = least
  const script = steps.map((step) => `  ${JSON.stringify(step)}`).join('\n')
  const head = `ENGAWA_SEED=${seed}: ${error.message}\nleast: ${errorOf(least)?.message}`
  throw new Error(`${head}\n${JSON.stringify(settings)} ${isEager ? 'eager' : 'lazy'}\n${script}`, { cause: error })
}

/**
 * Runs random schedules: so many in the short form, ten times as many in the long one. `ENGAWA_SCHEDULES` overrides the
 * figure; with `ENGAWA_SEED` alone the one schedule of that seed is run again.
 */
export function tryModel(short: number, isTapped: boolean): void {
  const count = Number(process.env['ENGAWA_SCHEDULES'] ?? short * (LONG ? 10 : 1)) / BATCHES
  const first = seedOfRun()
  if (isReplay && process.env['ENGAWA_SCHEDULES'] === undefined) {
    t.test(`the schedule of seed ${first} keeps every byte`, async () => check(first, isTapped))
    return
  }
  for (let batch = 0; batch < BATCHES; batch++) {
    const from = (first + batch * 100_000_007) >>> 0
    t.test(`${count} random schedules from seed ${from} on keep every byte`, { timeout: 900_000 }, async () => {
      for (let index = 0; index < count; index++) check((from + index) >>> 0, isTapped)
    })
  }
}
