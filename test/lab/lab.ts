import { join } from 'node:path'
import { type Event, Program } from '../support/program.ts'
import { type Services, type World, world } from '../support/world.ts'
import { Faults, type Moment } from './faults.ts'
import type { Order as Line } from './line.ts'
import { type Addresses, EDGE, Network, SERVICE } from './network.ts'
import type { Order } from './visitors.ts'

interface Owner {
  teardown: (end: () => Promise<void>) => unknown
}

/** A world in a network of its own: an edge, and one agent whose services are published. */
export interface Lab {
  readonly network: Network
  readonly faults: Faults
  readonly here: World
  readonly services: Services
  readonly agent: Program
  /** Public ports of the echo and the bulk service, host of the web service. */
  readonly echo: number
  readonly bulk: number
  readonly web: string
}

export interface LabOptions {
  readonly edgeFlags?: readonly string[]
  /** Further flags of Node for edge and agent. */
  readonly nodeFlags?: readonly string[]
  /** What the agent has; default: one of each family. */
  readonly home?: Addresses
  /** How bad the line is, from the start. */
  readonly line?: (faults: Faults) => void
}

export async function lab(t: Owner, { edgeFlags = [], nodeFlags = [], home, line }: LabOptions = {}): Promise<Lab> {
  const network = new Network()
  const faults = new Faults(network)
  if (home) network.moveAgent(home)
  line?.(faults)
  t.teardown(async () => network.close())
  const here = await world(t, {
    edgeFlags,
    nodeFlags,
    places: {
      enter: (place) => network.enter(place),
      edgeFlags: ['--http', ':80', '--https', ':443', '--public-host', EDGE.v6, '--public-host', EDGE.v4],
      serviceHost: SERVICE,
    },
  })
  await here.join('home')
  const services = await here.services('home')
  const targets = [
    `${SERVICE}:${services.http}`,
    `tcp://${SERVICE}:${services.echo}`,
    `tcp://${SERVICE}:${services.bulk}`,
  ]
  const { agent, tunnels } = await here.publish('home', targets, '--log-level', 'info')
  const [web, echo, bulk] = tunnels
  if (web === undefined || echo === undefined || bulk === undefined) throw new Error('three tunnels were wanted')
  return { network, faults, here, services, agent, echo: echo.port, bulk: bulk.port, web: here.host(web.name) }
}

const CARRIER_PORT = 443

/** From now on whatever the agent dials goes over a long line; see `line.ts`. */
export async function lengthen({ network, here }: Lab, line: Pick<Line, 'delayMs' | 'rate'>): Promise<void> {
  const to = (host: string): Line['v4'] => ({ host: host.replace(/[[\]]/g, ''), port: CARRIER_PORT })
  const order: Line = { listen: { host: '::', port: 0 }, v4: to(EDGE.v4), v6: to(EDGE.v6), ...line }
  const [enter = '', ...rest] = network.enter('router')
  const file = join(import.meta.dirname, 'line.ts')
  const node = [process.execPath, '-C', 'engawa-source', file, JSON.stringify(order)]
  const { port } = await here.start('line', [enter, ...rest, ...node]).until('ready')
  network.divert(CARRIER_PORT, Number(port))
  network.allowGiants()
}

/** What a stream may be behind by and count as in step. */
const IN_STEP_BYTES = 64 * 1024

/** How many, how much, how fast; see `Order`. */
export type Party = Pick<Order, 'seed' | 'streams' | 'bytes' | 'seconds' | 'sockets'>

/** Visitors who know what they must get back, and tell when they got nothing. */
export class Visitors {
  readonly program: Program
  readonly #lab: Lab
  readonly #flows: number

  constructor(where: Lab, party: Party) {
    this.#flows = party.streams + party.sockets
    this.#lab = where
    const order: Order = { ...party, host: EDGE.forVisitors, echo: where.echo, web: where.web }
    const file = join(import.meta.dirname, 'visitors.ts')
    this.program = where.here.startAt('visitor', 'visitors', [process.execPath, file, JSON.stringify(order)])
  }

  /** Once every flow has moved. */
  async under(): Promise<void> {
    await this.#until(({ event, flows }) => event === 'progress' && flows === this.#flows)
  }

  /** Once they have caught up with their pace: what comes then is the next fault's doing. */
  async inStep(): Promise<void> {
    const enough = this.#flows * IN_STEP_BYTES
    await this.#until(
      ({ event, behind }) => event === 'progress' && Number(behind) < enough,
      120_000,
      this.program.mark,
    )
  }

  /**
   * How long the slowest flow stood still after `since`, when the path was back, milliseconds; 0 for less than 300.
   * Resolves once every flow has moved again, and for a while.
   */
  async pause(since: Moment): Promise<number> {
    await this.#until(({ event, oldest }) => event === 'done' || (event === 'progress' && Number(oldest) > since + 300))
    const gaps = this.program.events.filter(({ event, to }) => event === 'gap' && Number(to) > since)
    return Math.max(0, ...gaps.map(({ from, to }) => Number(to) - Math.max(since, Number(from))))
  }

  /** Once everything came back: what was wrong on the way, as the visitors saw it. */
  async faulty(deadlineMs = 150_000): Promise<readonly Event[]> {
    await this.#until('done', deadlineMs)
    return this.program.events.filter(({ event }) => event === 'wrong' || event === 'reset')
  }

  #until(wanted: Parameters<Program['until']>[0], deadlineMs = 90_000, after = 0): Promise<Event> {
    const { agent, here } = this.#lab
    return this.program.until(wanted, { deadlineMs, after, witnesses: [agent, here.edge] })
  }
}

/** Bytes of the bulk service that came in each whole second; the first one belongs to the beginning. */
export async function download({ here, bulk, agent }: Lab, seconds: number): Promise<readonly number[]> {
  const file = join(import.meta.dirname, 'reader.ts')
  const reader = here.startAt('visitor', 'reader', [
    process.execPath,
    file,
    EDGE.forVisitors,
    String(bulk),
    String(seconds),
  ])
  const { each } = await reader.until('done', { deadlineMs: seconds * 1000 + 45_000, witnesses: [agent, here.edge] })
  return each as number[]
}

/** The value that 95 % do not exceed. */
export function p95(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? Number.NaN
}

/** "12 … 340 ms, p95 310 ms, 20 tries". */
export function told(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.round)
  return `${least} … ${most} ms, p95 ${Math.round(p95(values))} ms, ${values.length} tries`
}
