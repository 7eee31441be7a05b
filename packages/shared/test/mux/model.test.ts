import t from 'tap'
import { isLong, isReplay, Random, seedOfRun } from '../support/random.ts'
import { anySchedule, run, type Schedule, shrink } from '../support/schedule.ts'

/** `ENGAWA_SCHEDULES` overrides; a replay runs the one schedule of `ENGAWA_SEED`. */
const COUNT = Number(process.env['ENGAWA_SCHEDULES'] ?? (isLong ? 1_000_000 : 100_000))
const BATCHES = 10

function errorOf(schedule: Schedule): Error | undefined {
  try {
    run(schedule)
  } catch (error) {
    return error as Error
  }
  return undefined
}

/** Throws with all that is needed to see it again. */
function check(seed: number): void {
  const schedule = anySchedule(new Random(seed))
  const error = errorOf(schedule)
  if (error === undefined) return
  const least = shrink(schedule, (candidate) => errorOf(candidate) !== undefined)
  const { settings, isEager, isTapped, steps } = least
  const script = steps.map((step) => `  ${JSON.stringify(step)}`).join('\n')
  const head = `ENGAWA_SEED=${seed}: ${error.message}\nleast: ${errorOf(least)?.message}`
  throw new Error(
    `${head}\n${JSON.stringify(settings)} ${isEager ? 'eager' : 'lazy'}${isTapped ? ', tapped' : ''}\n${script}`,
    { cause: error },
  )
}

const first = seedOfRun()
if (isReplay && process.env['ENGAWA_SCHEDULES'] === undefined) {
  t.test(`the schedule of seed ${first} keeps every byte`, async () => check(first))
} else {
  for (let batch = 0; batch < BATCHES; batch++) {
    const from = (first + batch * 100_000_007) >>> 0
    t.test(
      `${COUNT / BATCHES} random schedules from seed ${from} on keep every byte`,
      { timeout: 900_000 },
      async () => {
        for (let index = 0; index < COUNT / BATCHES; index++) check((from + index) >>> 0)
      },
    )
  }
}
