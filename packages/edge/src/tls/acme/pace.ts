/** What a CA is spared. promises.md, "unknown SNI" */
export interface PaceLimits {
  readonly ordersPerHour: number
  readonly ordersPerNamePerHour: number
}

export interface Ordered {
  readonly subject: string
  /** Wall-clock milliseconds. */
  readonly at: number
}

const HOUR_MS = 3_600_000
const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3 * HOUR_MS
/** A CA's own wish is followed up to here; also how far a clock that went back may put off a try. */
export const MOST_PAUSE_MS: number = 24 * HOUR_MS

/** How long to wait after so many failures in a row. `wishMs`: what the CA asks for. */
export function pauseAfter(failures: number, wishMs: number = 0): number {
  const own = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, failures - 1), LONGEST_PAUSE_MS)
  return Math.min(Math.max(own, wishMs), MOST_PAUSE_MS)
}

/** From when on another order is within the limits; `orders`: those of the hour before `now`, the oldest first. */
export function allowedAt(
  { orders, subject, now }: { orders: readonly Ordered[]; subject: string; now: number },
  { ordersPerHour, ordersPerNamePerHour }: PaceLimits,
): number {
  const free = (made: readonly Ordered[], most: number): number => {
    const first = made[made.length - most]
    return made.length < most || first === undefined ? now : first.at + HOUR_MS
  }
  const own = orders.filter((order) => order.subject === subject)
  return Math.max(free(orders, ordersPerHour), free(own, ordersPerNamePerHour))
}
