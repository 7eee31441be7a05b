import { randomInt } from 'node:crypto'
import { EngawaError } from '@engawa/shared/errors'
import { coversRange, formatRange, mergeRanges, overlap, type PortRange } from '@engawa/shared/ports'

/** Where a freely chosen port lies: outside the usual ephemeral ports, whose holder would make the listener fail. contract.md */
const FREE: readonly PortRange[] = [[20_000, 29_999]]

export interface PortWish {
  /** Wanted by the agent; others do as well unless `exact`. */
  readonly want: PortRange | undefined
  readonly exact: boolean
  /** How many in a row. */
  readonly count: number
  /** What the tunnel had before; it has it back unless another is insisted on. */
  readonly held: PortRange | undefined
}

export interface PortState {
  /** What this agent may have, merged. */
  readonly permitted: readonly PortRange[]
  /** What others hold. */
  readonly taken: readonly PortRange[]
}

/**
 * Which ports a tunnel gets. `random` gives an integer 0 ≤ x < most.
 * Throws PORT_NOT_ALLOWED, PORT_TAKEN.
 */
export function choosePorts(
  { want, exact, count, held }: PortWish,
  { permitted, taken }: PortState,
  random: (most: number) => number = (most) => randomInt(most),
): PortRange {
  const free = subtract(permitted, taken)
  const fits = (range: PortRange | undefined): range is PortRange =>
    range !== undefined && sizeOf(range) === count && coversRange(free, range)
  if (want !== undefined && exact) return fits(want) ? want : refuse(want, { permitted, taken }, count)
  if (fits(held)) return held
  if (fits(want)) return want
  const room = [intersect(free, FREE), free].find((ranges) => ranges.some((range) => sizeOf(range) >= count))
  if (room === undefined) {
    const ever = permitted.some((range) => sizeOf(range) >= count)
    const what = count === 1 ? 'no port' : `no ${count} ports in a row`
    if (ever) throw new EngawaError('PORT_TAKEN', `${what} free`)
    throw new EngawaError('PORT_NOT_ALLOWED', `${what} allowed for this agent`)
  }
  return pick(room, count, random)
}

/** The ports of `ranges` without those of `away`, merged. */
export function subtract(ranges: readonly PortRange[], away: readonly PortRange[]): PortRange[] {
  let left = mergeRanges(ranges)
  for (const [from, to] of away) {
    left = left.flatMap((range): PortRange[] => {
      if (!overlap(range, [from, to])) return [range]
      const parts: PortRange[] = [
        [range[0], from - 1],
        [to + 1, range[1]],
      ]
      return parts.filter(([a, b]) => a <= b)
    })
  }
  return left
}

/** The ports that are in both, merged. */
export function intersect(a: readonly PortRange[], b: readonly PortRange[]): PortRange[] {
  const both = a.flatMap((one) =>
    b
      .filter((other) => overlap(one, other))
      .map((other): PortRange => [Math.max(one[0], other[0]), Math.min(one[1], other[1])]),
  )
  return mergeRanges(both)
}

export function sizeOf([from, to]: PortRange): number {
  return to - from + 1
}

/** Any place with equal chance: two edges on one machine seldom meet. */
function pick(ranges: readonly PortRange[], count: number, random: (most: number) => number): PortRange {
  const roomy = ranges.filter((range) => sizeOf(range) >= count)
  let at = random(roomy.reduce((sum, range) => sum + sizeOf(range) - count + 1, 0))
  for (const range of roomy) {
    const places = sizeOf(range) - count + 1
    if (at < places) return [range[0] + at, range[0] + at + count - 1]
    at -= places
  }
  throw new EngawaError('INTERNAL', 'no place within the places counted')
}

function refuse(want: PortRange, { permitted, taken }: PortState, count: number): never {
  const text = formatRange(want)
  if (sizeOf(want) !== count) {
    throw new EngawaError('PORT_NOT_ALLOWED', `${text} is ${sizeOf(want)} ports, the target has ${count}`)
  }
  if (!coversRange(permitted, want)) throw new EngawaError('PORT_NOT_ALLOWED', `port ${text} is not allowed here`)
  const holder = taken.find((range) => overlap(range, want))
  throw new EngawaError(
    'PORT_TAKEN',
    `port ${holder === undefined ? text : formatRange(holder)} is held by another tunnel`,
  )
}
