// How a row takes one sample of one way.
import { cpuSecondsOf } from '../support/process.ts'
import { datagrams } from './datagrams.ts'
import { awake } from './idle.ts'
import { arrivalRate, arrivals, bulk, echoes, requests, type upload } from './load.ts'
import { page } from './page.ts'
import type { Way } from './ways.ts'

/** Per round and way: the figure that counts, and what is worth knowing beside it. */
export interface Sample {
  readonly value: number
  readonly speed?: number
}

const MB = 1e6
const BULK_BYTES = 384 * MB
const HTTP_MS = 2000
const CONNECTIONS = 64
const IDLE_ECHOES = 400
const BUSY_BYTES = 256 * MB
const ARRIVALS = 100
const ARRIVALS_MS = 1000
const ARRIVALS_AT_ONCE = 16
const FLOWS = 64
const FLOWS_MS = 1500
const PAGES = 8
/** What each of the visitors over TLS reads at a time. */
const BODY_BYTES = MB

/** With all that they have started: nginx and sshd work in children, an edge in its generation. */
function cpuSecondsOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
}

/** CPU-seconds of the way, and what the work answers. */
async function costOf<Answer>({ pids }: Way, work: () => Promise<Answer>): Promise<{ cpu: number; answer: Answer }> {
  const before = cpuSecondsOfAll(pids)
  const answer = await work()
  return { cpu: cpuSecondsOfAll(pids) - before, answer }
}

/** CPU-seconds per GB, and MB/s, of `streams` at once. */
export async function transfer(way: Way, streams: number, move: typeof bulk | typeof upload): Promise<Sample> {
  const each = Math.floor(BULK_BYTES / streams)
  const startedAt = performance.now()
  const { cpu } = await costOf(way, () => Promise.all(Array.from({ length: streams }, () => move(way.bulk, each))))
  const seconds = (performance.now() - startedAt) / 1000
  return { value: cpu / ((each * streams) / 1e9), speed: (each * streams) / MB / seconds }
}

/** CPU-µs per request of a kilobyte, and requests/s; `secure`: visitors come over TLS. */
export async function kilobytes(way: Way, secure = false): Promise<Sample> {
  const port = secure ? way.https : way.http
  const until = performance.now() + HTTP_MS
  const asking = { port, host: way.host, path: '/kilobyte', connections: CONNECTIONS, secure }
  const { cpu, answer } = await costOf(way, () => requests(asking, () => performance.now() >= until))
  return { value: (cpu * 1e6) / answer, speed: answer / (HTTP_MS / 1000) }
}

/** CPU-seconds per GB, and MB/s, of bodies that visitors over TLS read. */
export async function bodies(way: Way): Promise<Sample> {
  const startedAt = performance.now()
  const path = `/bytes/${BODY_BYTES}`
  const asking = { port: way.https, host: way.host, path, connections: CONNECTIONS, secure: true }
  const least = BULK_BYTES / BODY_BYTES - CONNECTIONS
  const { cpu, answer } = await costOf(way, () => requests(asking, (answered) => answered > least))
  const seconds = (performance.now() - startedAt) / 1000
  const bytes = answer * BODY_BYTES
  return { value: cpu / (bytes / 1e9), speed: bytes / MB / seconds }
}

/** Milliseconds until a page over HTTP/2 is there, the median of some, and CPU-ms for it. */
export async function pages(way: Way): Promise<Sample> {
  const took: number[] = []
  const { cpu } = await costOf(way, async () => {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (let count = 0; count < PAGES; count++) took.push(await page(way.https, way.host))
  })
  return { value: quantiles(took).value, speed: (cpu * 1000) / PAGES }
}

/** CPU-µs per round trip, and round trips/s. */
export async function datagramTrips(way: Way): Promise<Sample> {
  const { cpu, answer } = await costOf(way, () => datagrams(way.udp, FLOWS, FLOWS_MS))
  return { value: (cpu * 1e6) / answer, speed: answer / (FLOWS_MS / 1000) }
}

/** Median and 99th percentile of a round trip, ms. */
export async function idleEcho(way: Way): Promise<Sample> {
  return quantiles(await echoes(way.echo, (count) => count >= IDLE_ECHOES))
}

export async function busyEcho(way: Way): Promise<Sample> {
  let isOver = false
  const beside = bulk(way.bulk, BUSY_BYTES).finally(() => {
    isOver = true
  })
  const took = await echoes(way.echo, () => isOver)
  await beside
  return quantiles(took)
}

/** Median and 99th percentile, ms. */
export async function arrival(way: Way): Promise<Sample> {
  return quantiles(await arrivals(way.echo, ARRIVALS))
}

/** CPU-µs per new connection, and connections/s. */
export async function arrivalsAtOnce(way: Way): Promise<Sample> {
  const { cpu, answer } = await costOf(way, () => arrivalRate(way.echo, ARRIVALS_AT_ONCE, ARRIVALS_MS))
  return { value: (cpu * 1e6) / answer, speed: answer / (ARRIVALS_MS / 1000) }
}

export async function awakening(way: Way): Promise<Sample> {
  return { value: await awake(way) }
}

function quantiles(values: readonly number[]): { value: number; speed: number } {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    value: sorted[sorted.length >> 1] ?? Number.NaN,
    speed: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  }
}
