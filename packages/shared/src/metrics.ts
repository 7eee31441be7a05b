import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Gauge, Registry } from 'prom-client'

/** What the answer to a Prometheus says of itself. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A figure and the labels it stands under. */
export type Row = readonly [value: number, labels?: Readonly<Record<string, string | number>>]

interface Described {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** Asked at each look; nothing is counted twice for it. */
  readonly read: () => readonly Row[]
}

const RESOLUTION_MS = 20

/** What a Prometheus reads. The one place that knows the library. https://prometheus.io/docs/instrumenting/exposition_formats/ */
export class Metrics {
  /** Told to the library when somebody looks for the first time; until then it is not even loaded. */
  readonly #described: (Described & { readonly kind: 'gauge' | 'counter' })[] = []
  readonly #histograms: { readonly name: string; readonly help: string; readonly of: Durations }[] = []
  #registry: Promise<Registry> | undefined
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined

  constructor() {
    this.gauge({
      name: 'process_resident_memory_bytes',
      help: 'Memory of this process.',
      read: () => [[process.memoryUsage.rss()]],
    })
    this.counter({
      name: 'process_cpu_seconds_total',
      help: 'CPU time of this process.',
      read: () => [[(process.cpuUsage().user + process.cpuUsage().system) / 1e6]],
    })
    this.gauge({
      name: 'process_start_time_seconds',
      help: 'When this process began, seconds since 1970.',
      read: () => [[performance.timeOrigin / 1000]],
    })
    this.gauge({
      name: 'engawa_event_loop_delay_seconds',
      help: 'How late the event loop is, since the last look; measured from the first look on.',
      labels: ['rank'],
      read: () => this.#delays(),
    })
  }

  /** What is so now. */
  gauge(described: Described): void {
    this.#described.push({ ...described, kind: 'gauge' })
  }

  /** What has happened so far, as somebody else counts it. */
  counter(described: Described): void {
    this.#described.push({ ...described, kind: 'counter' })
  }

  histogram(name: string, help: string, of: Durations): void {
    this.#histograms.push({ name, help, of })
  }

  async text(): Promise<string> {
    this.#registry ??= this.#register()
    return (await this.#registry).metrics()
  }

  /** Looking wakes the process up 50 times a second: only where somebody looks. */
  #delays(): Row[] {
    this.#delay ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delay.enable()
    // What it measures is the time between two looks of its own.
    const late = (ns: number): number => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000)
    const { p50, p99, max } = { p50: this.#delay.percentile(50), p99: this.#delay.percentile(99), max: this.#delay.max }
    const rows = Object.entries({ p50, p99, max }).map(([rank, ns]): Row => [late(ns), { rank }])
    this.#delay.reset()
    return rows
  }

  async #register(): Promise<Registry> {
    const { Counter, Gauge, Registry } = await import('prom-client')
    const registry = new Registry()
    for (const { kind, name, help, labels = [], read } of this.#described) {
      const Kind: typeof Gauge | typeof Counter = kind === 'gauge' ? Gauge : Counter
      void new Kind({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        collect() {
          this.reset()
          for (const [value, under = {}] of read()) this.inc(under, value)
        },
      })
    }
    for (const { name, help, of } of this.#histograms) {
      // The library's own one would sort labels for each observation; this one adds up only when it is looked at.
      const metric = { name, help, get: async () => of.shown(name, help), reset: () => {} }
      registry.registerMetric(metric as unknown as Gauge)
    }
    return registry
  }
}

/** Seconds, from a quick answer to one that a visitor gives up on. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** How long things took; one addition each. */
export class Durations {
  readonly #counts = new Float64Array(BOUNDS.length + 1)
  #sum = 0
  #count = 0

  observe(ms: number): void {
    const seconds = ms / 1000
    let at = 0
    while (at < BOUNDS.length && seconds > (BOUNDS[at] as number)) at++
    this.#counts[at] = (this.#counts[at] as number) + 1
    this.#sum += seconds
    this.#count++
  }

  shown(name: string, help: string): unknown {
    let below = 0
    const values = [...BOUNDS, '+Inf'].map((le, at) => {
      below += this.#counts[at] as number
      return { metricName: `${name}_bucket`, value: below, labels: { le } }
    })
    return {
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: [
        ...values,
        { metricName: `${name}_sum`, value: this.#sum, labels: {} },
        { metricName: `${name}_count`, value: this.#count, labels: {} },
      ],
    }
  }
}

/** Names come and go, and a service may answer with any status. */
const MOST_ROWS = 20_000

interface TallyRow {
  value: number
  readonly labels: Readonly<Record<string, string | number>>
}

/** Of one tally: all of its labels have the same names. */
function isSame(labels: TallyRow['labels'], others: TallyRow['labels']): boolean {
  for (const name in labels) if (labels[name] !== others[name]) return false
  return true
}

/** Sums under labels, for what is counted as it happens. Past 20,000 the one that was added to longest ago goes. */
export class Tally {
  readonly #rows = new Map<string, TallyRow>()
  /** The one that was added to last; most often it is again. */
  #latest: TallyRow | undefined

  add(labels: Readonly<Record<string, string | number>>, by = 1): void {
    let row = this.#latest
    if (row === undefined || !isSame(row.labels, labels)) row = this.#find(labels)
    row.value += by
    this.#latest = row
  }

  #find(labels: TallyRow['labels']): TallyRow {
    const key = Object.values(labels).join('\0')
    const row = this.#rows.get(key) ?? { value: 0, labels }
    // Set anew, so that the map's order is that of use.
    this.#rows.delete(key)
    if (this.#rows.size >= MOST_ROWS) {
      const [oldest] = this.#rows.keys()
      if (oldest !== undefined) this.#rows.delete(oldest)
    }
    this.#rows.set(key, row)
    return row
  }

  get rows(): Row[] {
    return [...this.#rows.values()].map(({ value, labels }) => [value, labels])
  }
}
