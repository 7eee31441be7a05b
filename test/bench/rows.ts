import { cpuSecondsOf } from '../support/process.ts'
import { datagrams } from './datagrams.ts'
import { arrivals, bulk, echoes, requests, upload } from './load.ts'
import type { Way, WayName } from './ways.ts'

/** Per round and way: the figure that counts, and how fast it went, where that is another one. */
export interface Sample {
  readonly value: number
  readonly speed?: number
}

export interface Row {
  /** To name it on the command line. */
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly speedUnit?: string
  /** The first is what is measured, the second what it is held against; others stand beside. */
  readonly ways: readonly [WayName, WayName, ...WayName[]]
  /** The first way's figure divided by the second's should be at most, or at least, this. */
  readonly reach: { readonly most: number } | { readonly least: number }
  readonly sample: (way: Way) => Promise<Sample>
}

const MB = 1e6
const BULK_BYTES = 384 * MB
const STREAMS = 32
const HTTP_MS = 1500
const CONNECTIONS = 64
const IDLE_ECHOES = 400
const BUSY_BYTES = 256 * MB
const ARRIVALS = 100
const FLOWS = 64
const FLOWS_MS = 1500

async function cpuOf(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const before = cpuSecondsOfAll(pids)
  await work()
  return cpuSecondsOfAll(pids) - before
}

/** With all that they have started: nginx and sshd work in children, an edge in its generation. */
function cpuSecondsOfAll(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
}

/** CPU-seconds per GB, and MB/s, of `streams` at once. */
async function transfer(way: Way, streams: number, move: typeof bulk): Promise<Sample> {
  const each = Math.floor(BULK_BYTES / streams)
  const startedAt = performance.now()
  const cpu = await cpuOf(way.pids, async () => {
    await Promise.all(Array.from({ length: streams }, () => move(way.bulk, each)))
  })
  const seconds = (performance.now() - startedAt) / 1000
  return { value: cpu / ((each * streams) / 1e9), speed: (each * streams) / MB / seconds }
}

/** CPU-µs per request, and requests/s. */
async function pages(way: Way): Promise<Sample> {
  let count = 0
  const cpu = await cpuOf(way.pids, async () => {
    count = await requests(way.http, way.host, CONNECTIONS, HTTP_MS)
  })
  return { value: (cpu * 1e6) / count, speed: count / (HTTP_MS / 1000) }
}

/** CPU-µs per round trip, and round trips/s. */
async function datagramTrips(way: Way): Promise<Sample> {
  let count = 0
  const cpu = await cpuOf(way.pids, async () => {
    count = await datagrams(way.udp, FLOWS, FLOWS_MS)
  })
  return { value: (cpu * 1e6) / count, speed: count / (FLOWS_MS / 1000) }
}

/** Median and 99th percentile of a round trip, ms. */
async function idleEcho(way: Way): Promise<Sample> {
  return quantiles(await echoes(way.echo, (count) => count >= IDLE_ECHOES))
}

async function busyEcho(way: Way): Promise<Sample> {
  let isOver = false
  const beside = bulk(way.bulk, BUSY_BYTES).finally(() => {
    isOver = true
  })
  const took = await echoes(way.echo, () => isOver)
  await beside
  return quantiles(took)
}

function quantiles(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    value: sorted[sorted.length >> 1] ?? Number.NaN,
    speed: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  }
}

const PER_GB = { unit: 'CPU-s/GB', speedUnit: 'MB/s' } as const
const PER_REQUEST = { unit: 'CPU-µs/request', speedUnit: 'requests/s' } as const
const PER_TRIP = { unit: 'CPU-µs/trip', speedUnit: 'trips/s' } as const
const TRIP = { unit: 'ms p50', speedUnit: 'ms p99' } as const

export const ROWS: readonly Row[] = [
  {
    id: 'bulk-tls',
    title: 'bulk, one stream',
    ...PER_GB,
    ways: ['engawa', 'ssh', 'pipe'],
    reach: { most: 1.1 },
    sample: (way) => transfer(way, 1, bulk),
  },
  {
    id: 'bulk-plain',
    title: 'bulk, one stream, plain carrier',
    ...PER_GB,
    ways: ['engawa-plain', 'pipe', 'haproxy'],
    reach: { most: 0.75 },
    sample: (way) => transfer(way, 1, bulk),
  },
  {
    id: 'upload-tls',
    title: 'upload, one stream',
    ...PER_GB,
    ways: ['engawa', 'ssh', 'pipe'],
    reach: { most: 1.1 },
    sample: (way) => transfer(way, 1, upload),
  },
  {
    id: 'streams-plain',
    title: 'bulk, 32 streams, plain carrier',
    ...PER_GB,
    ways: ['engawa-plain', 'pipe'],
    reach: { most: 0.9 },
    sample: (way) => transfer(way, STREAMS, bulk),
  },
  {
    id: 'http-plain',
    title: 'HTTP 1 KB, 64 kept alive, plain carrier',
    ...PER_REQUEST,
    ways: ['engawa-plain', 'nginx', 'pipe'],
    reach: { most: 1.6 },
    sample: pages,
  },
  {
    id: 'http-tls',
    title: 'HTTP 1 KB, 64 kept alive',
    ...PER_REQUEST,
    ways: ['engawa', 'nginx', 'ssh'],
    reach: { most: 1.6 },
    sample: pages,
  },
  {
    id: 'udp-tls',
    title: '200 bytes by UDP there and back, 64 flows',
    ...PER_TRIP,
    ways: ['engawa', 'pipe'],
    reach: { most: 0.75 },
    sample: datagramTrips,
  },
  {
    id: 'udp-plain',
    title: '200 bytes by UDP there and back, 64 flows, plain carrier',
    ...PER_TRIP,
    ways: ['engawa-plain', 'pipe'],
    reach: { most: 0.75 },
    sample: datagramTrips,
  },
  {
    id: 'echo-idle',
    title: '1 byte there and back, idle',
    ...TRIP,
    ways: ['engawa', 'ssh', 'pipe'],
    reach: { most: 1.2 },
    sample: idleEcho,
  },
  {
    id: 'echo-busy',
    title: '1 byte there and back beside a bulk transfer',
    ...TRIP,
    ways: ['engawa', 'pipe', 'ssh'],
    reach: { most: 0.15 },
    sample: busyEcho,
  },
  {
    id: 'arrival',
    title: 'new connection to its first byte',
    ...TRIP,
    ways: ['engawa', 'ssh', 'pipe'],
    reach: { most: 1.2 },
    sample: async (way) => quantiles(await arrivals(way.echo, ARRIVALS)),
  },
]
