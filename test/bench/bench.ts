// `npm run bench`: CPU of edge + agent beside a plain two-hop pipe in Node, taking turns. `--json FILE` writes the figures.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cpuSecondsOf } from '../support/process.ts'
import { World } from '../support/world.ts'
import { bulk, requests } from './load.ts'

const ROUNDS = 4
const BULK_BYTES = 384 * 1024 * 1024
const HTTP_MS = 1200
const CONNECTIONS = 64

interface Way {
  name: string
  pids: readonly number[]
  bulkPort: number
  httpPort: number
}

/** Per round: what one unit cost in CPU, and how fast it went. */
interface Sample {
  cost: number
  speed: number
}

async function lay(here: World): Promise<{ ways: Way[]; host: string }> {
  const services = await here.services('bench')
  await here.join('home')
  const { agent, tunnels } = await here.publish('home', [String(services.http), `tcp://${services.bulk}`])
  const engawa = { name: 'engawa', pids: [here.edge.pid, agent.pid], bulkPort: tunnels[1]?.port ?? 0 }
  const pipe = async (port: number): Promise<{ port: number; pid: number }> => {
    const hop = here.start('pipe', [process.execPath, join(import.meta.dirname, 'pipe.ts'), String(port)])
    return { port: Number((await hop.until('ready'))['port']), pid: hop.pid }
  }
  const twoHops = async (port: number): Promise<{ port: number; pids: number[] }> => {
    const inner = await pipe(port)
    const outer = await pipe(inner.port)
    return { port: outer.port, pids: [inner.pid, outer.pid] }
  }
  const [bulkHops, httpHops] = [await twoHops(services.bulk), await twoHops(services.http)]
  const control = { pids: [...bulkHops.pids, ...httpHops.pids], bulkPort: bulkHops.port, httpPort: httpHops.port }
  const ways = [
    { ...engawa, httpPort: Number(here.http.split(':')[1]) },
    { name: 'pipe', ...control },
  ]
  return { ways, host: here.host(tunnels[0]?.name ?? '') }
}

async function cpuOf(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const sum = (): number => pids.reduce((total, pid) => total + cpuSecondsOf(pid), 0)
  const before = sum()
  await work()
  return sum() - before
}

/** CPU-seconds per GB, and MB/s. */
async function bulkSample({ pids, bulkPort }: Way): Promise<Sample> {
  let seconds = 0
  const cpu = await cpuOf(pids, async () => {
    seconds = await bulk(bulkPort, BULK_BYTES)
  })
  return { cost: cpu / (BULK_BYTES / 1e9), speed: BULK_BYTES / 1e6 / seconds }
}

/** CPU-µs per request, and requests/s. */
async function httpSample({ pids, httpPort }: Way, host: string): Promise<Sample> {
  let count = 0
  const cpu = await cpuOf(pids, async () => {
    count = await requests(httpPort, host, '/kilobyte', CONNECTIONS, HTTP_MS)
  })
  return { cost: (cpu * 1e6) / count, speed: count / (HTTP_MS / 1000) }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

const here = await World.open()
try {
  const { ways, host } = await lay(here)
  const rows = [
    { measure: 'bulk, one stream', unit: 'CPU-s/GB', rate: 'MB/s', sample: (way: Way) => bulkSample(way) },
    {
      measure: 'HTTP 1 KB, 64 kept alive',
      unit: 'CPU-µs/request',
      rate: 'requests/s',
      sample: (way: Way) => httpSample(way, host),
    },
  ].map((row) => ({ ...row, samples: ways.map((): Sample[] => []) }))

  for (let round = -1; round < ROUNDS; round++) {
    for (const row of rows) {
      for (const [index, way] of ways.entries()) {
        // oxlint-disable-next-line no-await-in-loop -- the ways take turns, that is the point
        const sample = await row.sample(way)
        // The first round only warms up.
        if (round >= 0) row.samples[index]?.push(sample)
      }
    }
  }

  const figures = rows.map(({ measure, unit, rate, samples }) => {
    const [engawa = 0, pipe = 0] = samples.map((list) => median(list.map(({ cost }) => cost)))
    const [speed = 0, pipeSpeed = 0] = samples.map((list) => median(list.map((sample) => sample.speed)))
    return { measure, unit, engawa, pipe, ratio: engawa / pipe, rate, speed, pipeSpeed }
  })
  console.table(
    Object.fromEntries(
      figures.map(({ measure, unit, engawa, pipe, ratio, rate, speed, pipeSpeed }) => [
        `${measure} (${unit})`,
        {
          engawa: engawa.toFixed(2),
          pipe: pipe.toFixed(2),
          ratio: ratio.toFixed(2),
          speed: `${speed.toFixed(0)} ${rate}`,
          'pipe’s': pipeSpeed.toFixed(0),
        },
      ]),
    ),
  )
  const [, file] = process.argv.slice(process.argv.indexOf('--json'))
  if (process.argv.includes('--json') && file) writeFileSync(file, `${JSON.stringify(figures, undefined, 2)}\n`)
} finally {
  await here.close()
}
