import { HEADROOM } from '../../src/wire/limits.ts'
import { type Half, isGone, type Lane, nextBytes, nextWithHeadroom, type SideName } from './lane.ts'
import { MOST_PATTERN_BYTES } from './pattern.ts'
import type { Random } from './random.ts'
import { Wiretap } from './wiretap.ts'
import { type DialFate, type Link, type Side, World, type WorldSettings } from './world.ts'

/** A step and two numbers whose meaning it picks itself, so that any part of a schedule is a schedule too. */
export type Step = readonly [op: Op, a: number, b: number]
export interface Schedule {
  readonly settings: WorldSettings
  /** Flush after every step, as a pump does; otherwise only when time passes. */
  readonly isEager: boolean
  /** Every frame is held against protocol.md, too: slower. */
  readonly isTapped: boolean
  readonly steps: readonly Step[]
}

const NEVER = Number.POSITIVE_INFINITY
/** Whatever was broken, this much virtual time must be enough to finish. */
const REST_MS = 180_000

const FATES: readonly DialFate[] = ['works', 'works', 'works', 'attachLost', 'welcomeLost', 'welcomeLate']
const SIZES: readonly number[] = [1, 1, 20, 300, 4096, 4097, 16_384, 20_000, 40_000]
/** When an end hears that a carrier is gone. */
const NEWS_MS: readonly number[] = [0, 1, 30, 400, 400, NEVER]
const PAUSES: readonly number[] = [0, 1, 5, 20, 21, 60, 200, 600, 1100, 3100, 11_000]

type Act = (world: World, a: number, b: number) => void

function sideOf(a: number): SideName {
  return a & 1 ? 'agent' : 'edge'
}

function at<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length]
}

function laneOf(world: World, name: SideName, a: number): Lane | undefined {
  const lane = at(world.lanes, a >> 1)
  return lane?.[name] === undefined || isGone(lane, name) ? undefined : lane
}

function outOf(lane: Lane, name: SideName): Half {
  return name === 'edge' ? lane.up : lane.down
}

function into(lane: Lane, name: SideName): Half {
  return name === 'edge' ? lane.down : lane.up
}

function consume(lane: Lane, name: SideName, most: number): void {
  const half = into(lane, name)
  const count = Math.min(half.waiting, most)
  if (count === 0) return
  half.waiting -= count
  lane[name]?.consumed(count)
}

function end(lane: Lane, name: SideName): void {
  const half = outOf(lane, name)
  if (half.ended) return
  half.ended = true
  lane[name]?.end()
}

/** Any offset of what is under way. */
function somewhere(pipe: Link['toEdge'], salt: number): number {
  return (salt * 2654435761) % (pipe.pendingBytes + 1)
}

const ACTS = {
  open(world) {
    world.open()
  },
  write(world, a, b) {
    const name = sideOf(a)
    const lane = laneOf(world, name, a)
    const stream = lane?.[name]
    if (lane === undefined || stream === undefined) return
    const half = outOf(lane, name)
    if (half.ended || stream.room <= 0) return
    const length = SIZES[b % SIZES.length] as number
    if ((b >> 4) & 1) stream.write(nextWithHeadroom(half, length), undefined, HEADROOM)
    else stream.write(nextBytes(half, length))
    half.written += length
  },
  consume(world, a, b) {
    const name = sideOf(a)
    const lane = laneOf(world, name, a)
    if (lane !== undefined) consume(lane, name, b & 1 ? NEVER : (SIZES[b % SIZES.length] as number))
  },
  end(world, a) {
    const name = sideOf(a)
    const lane = laneOf(world, name, a)
    if (lane !== undefined) end(lane, name)
  },
  reset(world, a) {
    const name = sideOf(a)
    const lane = laneOf(world, name, a)
    if (lane === undefined) return
    if (name === 'edge') lane.edgeReset = true
    else lane.agentReset = true
    lane[name]?.reset('CANCELLED')
  },
  accept(world, a) {
    const lane = laneOf(world, 'agent', a)
    if (lane === undefined || lane.accepted) return
    lane.accepted = true
    lane.agent?.accept()
  },
  wait(world, a) {
    world.advance(PAUSES[a % PAUSES.length] as number)
  },
  cut(world, a, b) {
    const link = at(world.links, a)
    if (link === undefined) return
    world.cut(
      link,
      { toEdge: somewhere(link.toEdge, b), toAgent: somewhere(link.toAgent, a + b) },
      { edge: NEWS_MS[b % 6] as number, agent: NEWS_MS[(b >> 4) % 6] as number },
    )
  },
  close(world, a, b) {
    const side = world.side(sideOf(a))
    const link = at([...side.held.values()], b)
    if (link !== undefined) world.close(side, link)
  },
  stall(world, a, b) {
    const link = at(world.links, a)
    if (link === undefined) return
    const until = world.now + ([10, 300, 1500, 5000, 20_000, NEVER][b % 6] as number)
    link.toEdge.stalledUntil = Math.max(link.toEdge.stalledUntil, until)
    if (b & 64) link.toAgent.stalledUntil = Math.max(link.toAgent.stalledUntil, until)
  },
  dial(world, a, b) {
    world.dial(FATES[a % FATES.length] as DialFate, [1, 10, 100][b % 3] as number)
  },
  message(world, a, b) {
    world.message(sideOf(a), `{"type":"m${a}","text":"${'x'.repeat(b % 3 === 0 ? 5000 : 5)}"}`)
  },
  sleep(world, a, b) {
    const side = world.side(sideOf(a))
    side.sleepsUntil = Math.max(side.sleepsUntil, world.now + (PAUSES[b % PAUSES.length] as number))
  },
  pull(world, a, b) {
    const side = world.side(sideOf(a))
    if (side.sleepsUntil <= world.now) world.pumpSide(side, SIZES[b % SIZES.length])
  },
} satisfies Record<string, Act>

type Op = keyof typeof ACTS

/** How often each step is chosen. */
const WEIGHTS: Record<Op, number> = {
  open: 9,
  write: 26,
  consume: 10,
  end: 6,
  reset: 3,
  accept: 2,
  wait: 20,
  cut: 7,
  close: 4,
  stall: 3,
  dial: 8,
  message: 1,
  sleep: 1,
  pull: 3,
}

/** Each schedule has its own taste: what never happens in one happens all the time in another, so that rare things meet. */
function bagOf(random: Random): Op[] {
  const bag: Op[] = ['open', 'write', 'wait']
  for (const [op, weight] of Object.entries(WEIGHTS)) {
    const length = weight * random.pick([0, 1, 1, 1, 4])
    for (let index = 0; index < length; index++) bag.push(op as Op)
  }
  return bag
}

export function anySchedule(random: Random, isTapped: boolean): Schedule {
  const maxStreams = random.pick([1, 2, 4, 8, 64])
  const settings: WorldSettings = {
    maxStreams,
    credit: random.pick([1, 100, 5000, 16_384, 16_384]),
    ...(random.chance(50) ? { budgetBytes: maxStreams * 16_384 + random.pick([0, 1000, 65_536]) } : {}),
    delayMs: random.pick([0, 1, 10, 80]),
    ...(random.chance(20) ? { rate: random.pick([10, 125, 2000]) } : {}),
    ...(random.chance(25) ? { understates: true } : {}),
    scramble: random.chance(15),
    ...(random.chance(15) ? { readBytes: random.pick([7, 100, 4096]) } : {}),
  }
  const bag = bagOf(random)
  const steps = Array.from({ length: 4 + random.below(36) }, (): Step => {
    const bits = random.next()
    return [random.pick(bag), bits & 0xff, (bits >>> 8) & 0xffff]
  })
  return { settings, isEager: random.chance(60), isTapped, steps }
}

/** Runs a schedule and lets it come to rest; throws what went wrong. */
export function run({ settings, isEager, isTapped, steps }: Schedule, watch?: (world: World) => void): World {
  const world = new World(settings)
  if (isTapped) new Wiretap(world).listen()
  watch?.(world)
  for (const [op, a, b] of steps) {
    ACTS[op](world, a, b)
    if (isEager) flush(world)
    checkBounds(world)
  }
  rest(world)
  return world
}

/** What the pump does after its owner did something. Nothing may wait that it was not told of. */
function flush(world: World): void {
  for (const side of world.sides) {
    if (side.sleepsUntil > world.now) continue
    const wasTold = side.woken || side.pumpedAt < world.now
    const bytes = world.pumpSide(side)
    if (bytes > 0 && !wasTold) throw new Error(`${side.name}: ${bytes} bytes waited, onWork was never called`)
  }
}

/** Gives every stream its chance: carriers come back, owners read on and end what they opened. */
export function rest(world: World): void {
  for (const side of world.sides) side.sleepsUntil = 0
  const until = world.now + REST_MS
  while (world.now < until) {
    for (const lane of world.lanes) {
      for (const name of ['edge', 'agent'] as const) {
        if (lane[name] === undefined || isGone(lane, name)) continue
        consume(lane, name, NEVER)
        end(lane, name)
      }
    }
    world.advance(world.now + 200 > until ? 1 : 50)
    checkBounds(world)
    if (isAtRest(world)) break
    const isUp = world.links.some((link) => isHealthy(world, link))
    if (!isUp && world.dialling === 0) world.dial('works', 10)
  }
  checkRest(world)
}

function isHealthy(world: World, link: Link): boolean {
  const isHeld = world.edge.held.has(link.number) && world.agent.held.has(link.number)
  return isHeld && link.toEdge.stalledUntil < NEVER && link.toEdge.closesAt === NEVER && link.toAgent.closesAt === NEVER
}

function isAtRest(world: World): boolean {
  for (const side of world.sides) {
    const { streams, bufferedBytes } = side.session.figures
    if (streams > 0 || bufferedBytes > 0) return false
    for (const carrier of side.session.carriers) if (carrier.inFlightBytes > 0) return false
    if (side.messages.length < world.sentMessages[side.name === 'edge' ? 'agent' : 'edge'].length) return false
  }
  return world.lanes.every(isLaneOver)
}

/** A reset that comes after both ends have gone need not be told: nothing is left to reset. */
function isLaneOver(lane: Lane): boolean {
  const isEdgeOver = isGone(lane, 'edge') || (lane.up.ended && lane.down.endSeen)
  const isAgentOver = isGone(lane, 'agent') || (lane.down.ended && lane.up.endSeen)
  return isEdgeOver && (isAgentOver || (lane.agent === undefined && isGone(lane, 'edge')))
}

function checkRest(world: World): void {
  for (const side of world.sides) {
    if (side.closed !== undefined) throw new Error(`${side.name}: the session closed with ${side.closed.code}`)
  }
  for (const lane of world.lanes) {
    if (isLaneOver(lane)) continue
    const { up, down } = lane
    const told = `up ${up.received}/${up.written} ${up.endSeen}, down ${down.received}/${down.written} ${down.endSeen}`
    throw new Error(`lane ${lane.index} never came to its end: ${told}, resets ${lane.edgeReset} ${lane.agentReset}`)
  }
  for (const side of world.sides) checkEmpty(world, side)
}

function checkEmpty(world: World, side: Side): void {
  const { streams, bufferedBytes, grantedBytes } = side.session.figures
  const kept = { streams, bufferedBytes, grantedBytes }
  if (streams + bufferedBytes + grantedBytes > 0) throw new Error(`${side.name} keeps ${JSON.stringify(kept)}`)
  for (const { number, inFlightBytes } of side.session.carriers) {
    if (inFlightBytes > 0)
      throw new Error(`${side.name} keeps ${inFlightBytes} bytes in the ledger of carrier ${number}`)
  }
  const sent = world.sentMessages[side.name === 'edge' ? 'agent' : 'edge'].length
  if (side.messages.length !== sent) throw new Error(`${side.name} got ${side.messages.length} of ${sent} messages`)
}

/** Limits that hold at every moment, whatever the schedule. */
function checkBounds(world: World): void {
  const { maxStreams, budgetBytes = 64 * 1024 * 1024 } = world.settings
  const waiting = { edge: 0, agent: 0 }
  for (const lane of world.lanes) {
    if (!isGone(lane, 'edge')) waiting.edge += lane.down.waiting
    if (!isGone(lane, 'agent')) waiting.agent += lane.up.waiting
  }
  for (const side of world.sides) {
    const { grantedBytes, bufferedBytes } = side.session.figures
    if (grantedBytes > budgetBytes) throw new Error(`${side.name} has granted ${grantedBytes} of ${budgetBytes} bytes`)
    if (waiting[side.name] > budgetBytes) throw new Error(`${side.name} holds ${waiting[side.name]} received bytes`)
    if (waiting[side.name] > grantedBytes) throw new Error(`${side.name} holds more than it has granted`)
    const most = maxStreams * (256 * 1024 + 2 * MOST_PATTERN_BYTES) + 16 * 1024 * 1024
    if (bufferedBytes > most) throw new Error(`${side.name} keeps ${bufferedBytes} bytes for sending`)
  }
}

/** Leaves out steps as long as the schedule still fails: what remains is worth reading. */
export function shrink(schedule: Schedule, fails: (schedule: Schedule) => boolean): Schedule {
  let best = schedule
  const attempt = (candidate: Schedule): boolean => {
    if (!fails(candidate)) return false
    best = candidate
    return true
  }
  const { maxStreams, credit, delayMs } = schedule.settings
  attempt({ ...best, settings: { maxStreams, credit, delayMs } })
  attempt({ ...best, settings: { ...best.settings, maxStreams: 64, credit: 16_384 } })
  attempt({ ...best, settings: { ...best.settings, delayMs: 10 } })
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.steps.length; ) {
      const steps = [...best.steps.slice(0, from), ...best.steps.slice(from + size)]
      if (!attempt({ ...best, steps })) from += size
    }
  }
  return best
}
