import { once } from 'node:events'
import http from 'node:http'
import t from 'tap'
import { COUNTING, countsOf } from '../support/counting.ts'
import { rssOf } from '../support/process.ts'
import type { Program } from '../support/program.ts'
import { connect, read } from '../support/socket.ts'
import { LONG } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const MIB = 1024 * 1024
const VISITORS = 20
const PHASE_MS = LONG ? 5000 : 1500
const ROUNDS = LONG ? 8 : 4
/** In the short form the machine may be busy with other tests: the figure is printed, the bound is wider. */
const BOUND = LONG ? { throughput: 0.9, p99: 2 } : { throughput: 0.7, p99: 4 }
const MOST_MIB = 64

/** What a visitor who reads takes in each round of warming up. */
const WARM_BYTES = 64 * MIB
const ATTEMPTS = LONG ? 1 : 3

t.test('R9 one visitor stops reading 1 GiB while 20 others go on', async (t) => {
  const here = await world(t, { nodeFlags: COUNTING })
  const services = await here.services('web')
  await here.join('home')
  const { agent, tunnels } = await here.publish('home', [String(services.http), `tcp://${services.bulk}`])
  const bulkPort = tunnels[1]?.port ?? 0
  const memory = { edge: new Peak(here.edge), agent: new Peak(agent) }

  // The crowd alone costs its heap too, and whoever reads well their buffers: that is not the stuck one's.
  for (let round = 0; round < ROUNDS; round++) {
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    await Promise.all([measure(here, PHASE_MS), swallow(bulkPort, WARM_BYTES)])
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    await Promise.all([memory.edge.rest(), memory.agent.rest()])
  }
  let found = await compare(here, bulkPort, memory)
  // What else runs on the machine can spoil one comparison, not three.
  for (let attempt = 1; attempt < ATTEMPTS && !isEnough(found); attempt++) {
    // oxlint-disable-next-line no-await-in-loop -- one comparison after the other
    found = await compare(here, bulkPort, memory)
  }
  t.comment(`R9 20 visitors: ${found.perSecond.toFixed(0)} requests/s of 64 KiB alone`)
  t.comment(`R9 beside a stuck one: throughput × ${found.throughput.toFixed(2)}, p99 × ${found.p99.toFixed(2)}`)
  for (const peak of [memory.edge, memory.agent]) {
    t.comment(peak.told)
    t.ok(peak.heldMiB <= MOST_MIB, peak.told)
    // Beside other tests the collector is late: what is resident then is mostly what nobody holds any more.
    if (LONG) t.ok(peak.residentMiB <= MOST_MIB, peak.told)
  }
})

/** Memory of a program above the most it had at rest. */
class Peak {
  readonly #program: Program
  #rest = { residentMiB: 0, heldMiB: 0 }
  residentMiB = 0
  heldMiB = 0

  constructor(program: Program) {
    this.#program = program
  }

  async rest(): Promise<void> {
    const { residentMiB, heldMiB } = await this.#now()
    this.#rest = {
      residentMiB: Math.max(this.#rest.residentMiB, residentMiB),
      heldMiB: Math.max(this.#rest.heldMiB, heldMiB),
    }
  }

  async look(): Promise<void> {
    const { residentMiB, heldMiB } = await this.#now()
    this.residentMiB = Math.max(this.residentMiB, residentMiB - this.#rest.residentMiB)
    this.heldMiB = Math.max(this.heldMiB, heldMiB - this.#rest.heldMiB)
  }

  get told(): string {
    const { name } = this.#program
    return `${name}: ${this.heldMiB.toFixed(1)} MiB more held, ${this.residentMiB.toFixed(0)} MiB more resident`
  }

  /** Resident before, and held after a full collection. */
  async #now(): Promise<{ residentMiB: number; heldMiB: number }> {
    const residentMiB = rssOf(this.#program.pid) / MIB
    const { held } = await countsOf(this.#program)
    return { residentMiB, heldMiB: held / MIB }
  }
}

interface Comparison {
  perSecond: number
  throughput: number
  p99: number
}

function isEnough({ throughput, p99 }: Comparison): boolean {
  return throughput >= BOUND.throughput && p99 <= BOUND.p99
}

async function compare(here: World, bulkPort: number, memory: Readonly<Record<string, Peak>>): Promise<Comparison> {
  const alone: Figures[] = []
  const beside: Figures[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    alone.push(await measure(here, PHASE_MS))
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    const stuck = await Promise.all([stuckOverTcp(bulkPort), stuckOverHttp(here)])
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    beside.push(await measure(here, PHASE_MS))
    // oxlint-disable-next-line no-await-in-loop -- phases take turns
    await Promise.all(Object.values(memory).map((peak) => peak.look()))
    for (const end of stuck) end()
  }
  const perSecond = median(alone.map((figures) => figures.perSecond))
  return {
    perSecond,
    throughput: median(beside.map((figures) => figures.perSecond)) / perSecond,
    p99: median(beside.map(({ p99Ms }) => p99Ms)) / median(alone.map(({ p99Ms }) => p99Ms)),
  }
}

interface Figures {
  perSecond: number
  p99Ms: number
}

/** 20 visitors, each asking for 64 KiB again and again over a connection of its own. */
async function measure(here: World, forMs: number): Promise<Figures> {
  const times: number[] = []
  const startedAt = performance.now()
  const pool = new http.Agent({ keepAlive: true, maxSockets: VISITORS })
  const visit = async (visitor: number): Promise<void> => {
    for (let count = 0; performance.now() - startedAt < forMs; count++) {
      const askedAt = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- a visitor asks one thing after the other
      const bytes = await ask(here, pool, `/bytes?seed=v${visitor}&size=65536`)
      if (bytes !== 65_536) throw new Error(`${bytes} bytes instead of 65536`)
      times.push(performance.now() - askedAt)
    }
  }
  await Promise.all(Array.from({ length: VISITORS }, (_, visitor) => visit(visitor)))
  const seconds = (performance.now() - startedAt) / 1000
  pool.destroy()
  return {
    perSecond: times.length / seconds,
    p99Ms: times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0,
  }
}

function ask(here: World, agent: http.Agent, path: string): Promise<number> {
  const [host = '', port] = here.http.split(':')
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, agent, headers: { Host: here.host('home') } }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('end', () => resolve(bytes))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

/** A visitor who reads all that comes. */
async function swallow(port: number, bytes: number): Promise<void> {
  const socket = await connect(port)
  socket.resume().write(`get warm ${bytes}\n`)
  await once(socket, 'end')
  socket.end()
}

async function stuckOverTcp(port: number): Promise<() => void> {
  const socket = await connect(port)
  socket.write(`get stuck ${1024 * MIB}\n`)
  await read(socket, 1)
  return () => socket.resetAndDestroy()
}

async function stuckOverHttp(here: World): Promise<() => void> {
  const socket = await connect(Number(here.http.split(':')[1]))
  socket.write(`GET /bytes?seed=stuck&size=${1024 * MIB} HTTP/1.1\r\nHost: ${here.host('home')}\r\n\r\n`)
  await read(socket, 1)
  return () => socket.resetAndDestroy()
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}
