import { rest } from './idle.ts'
import { bulk, upload } from './load.ts'
import {
  arrival,
  arrivalsAtOnce,
  awakening,
  bodies,
  busyEcho,
  datagramTrips,
  idleEcho,
  kilobytes,
  pages,
  type Sample,
  transfer,
} from './samples.ts'
import type { Way, WayName } from './ways.ts'

export interface Row {
  /** To name it on the command line. */
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly speedUnit?: string
  /** The first is what is measured, the second what it is held against; others stand beside. */
  readonly ways: readonly [WayName, WayName, ...WayName[]]
  /** Other tunnels stand beside, too, where they are installed. */
  readonly rivals?: true
  /** The first way's figure divided by the second's should be at most this; nothing is said of some. */
  readonly most?: number
  /** For all ways at once, before each round. */
  readonly before?: (way: Way) => Promise<void>
  readonly sample: (way: Way) => Promise<Sample>
}

const STREAMS = 32

const PER_GB = { unit: 'CPU-s/GB', speedUnit: 'MB/s' } as const
const PER_REQUEST = { unit: 'CPU-µs/request', speedUnit: 'requests/s' } as const
const PER_TRIP = { unit: 'CPU-µs/trip', speedUnit: 'trips/s' } as const
const TRIP = { unit: 'ms p50', speedUnit: 'ms p99' } as const

const PAGE = { unit: 'ms p50', speedUnit: 'CPU-ms/page' } as const
const PER_ARRIVAL = { unit: 'CPU-µs/connection', speedUnit: 'connections/s' } as const

export const ROWS: readonly Row[] = [
  {
    id: 'bulk-tls',
    title: 'bulk, one stream',
    ...PER_GB,
    ways: ['engawa', 'ssh', 'pipe'],
    rivals: true,
    most: 1.1,
    sample: (way) => transfer(way, 1, bulk),
  },
  {
    id: 'bulk-plain',
    title: 'bulk, one stream, plain carrier',
    ...PER_GB,
    ways: ['engawa-plain', 'pipe', 'haproxy'],
    most: 0.75,
    sample: (way) => transfer(way, 1, bulk),
  },
  {
    id: 'upload-tls',
    title: 'upload, one stream',
    ...PER_GB,
    ways: ['engawa', 'ssh', 'pipe'],
    rivals: true,
    most: 1.1,
    sample: (way) => transfer(way, 1, upload),
  },
  {
    id: 'streams-plain',
    title: 'bulk, 32 streams, plain carrier',
    ...PER_GB,
    ways: ['engawa-plain', 'pipe'],
    most: 0.9,
    sample: (way) => transfer(way, STREAMS, bulk),
  },
  {
    id: 'http-plain',
    title: 'HTTP 1 KB, 64 kept alive, plain carrier',
    ...PER_REQUEST,
    ways: ['engawa-plain', 'nginx', 'pipe'],
    most: 1.0,
    sample: (way) => kilobytes(way),
  },
  {
    id: 'http-tls',
    title: 'HTTP 1 KB, 64 kept alive',
    ...PER_REQUEST,
    ways: ['engawa', 'nginx', 'ssh'],
    rivals: true,
    most: 1.6,
    sample: (way) => kilobytes(way),
  },
  {
    id: 'udp-tls',
    title: 'UDP there and back, 64 flows',
    ...PER_TRIP,
    ways: ['engawa', 'pipe'],
    most: 0.75,
    sample: datagramTrips,
  },
  {
    id: 'udp-plain',
    title: 'UDP there and back, 64 flows, plain carrier',
    ...PER_TRIP,
    ways: ['engawa-plain', 'pipe'],
    most: 0.75,
    sample: datagramTrips,
  },
  {
    id: 'echo-idle',
    title: '1 byte there and back, idle',
    ...TRIP,
    ways: ['engawa', 'ssh', 'pipe'],
    rivals: true,
    most: 1.2,
    sample: idleEcho,
  },
  {
    id: 'echo-busy',
    title: '1 byte there and back beside bulk',
    ...TRIP,
    ways: ['engawa', 'pipe', 'ssh'],
    most: 0.15,
    sample: busyEcho,
  },
  {
    id: 'arrival',
    title: 'new connection to its first byte',
    ...TRIP,
    ways: ['engawa', 'ssh', 'pipe'],
    rivals: true,
    most: 1.2,
    sample: arrival,
  },
  {
    id: 'arrival-rate',
    title: 'new connections, 16 at a time',
    ...PER_ARRIVAL,
    ways: ['engawa', 'ssh', 'pipe'],
    rivals: true,
    sample: arrivalsAtOnce,
  },
  {
    id: 'awake',
    title: 'first 64 KiB after 10 s of rest',
    unit: 'ms',
    ways: ['engawa', 'ssh', 'pipe'],
    before: rest,
    sample: awakening,
  },
  {
    id: 'visitors-http',
    title: 'HTTP 1 KB, 64 visitors over TLS',
    ...PER_REQUEST,
    ways: ['engawa', 'nginx-tls', 'nginx-ssh'],
    sample: (way) => kilobytes(way, true),
  },
  {
    id: 'visitors-bulk',
    title: 'bodies of 1 MB, 64 visitors over TLS',
    ...PER_GB,
    ways: ['engawa', 'nginx-tls', 'nginx-ssh'],
    sample: bodies,
  },
  {
    id: 'page',
    title: 'a page of 200 small files over HTTP/2',
    ...PAGE,
    ways: ['engawa', 'nginx-tls', 'nginx-ssh'],
    sample: pages,
  },
]
