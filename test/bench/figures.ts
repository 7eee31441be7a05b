import type { Row } from './rows.ts'
import type { Sample } from './samples.ts'
import type { WayName } from './ways.ts'

export interface Measured {
  readonly row: Row
  readonly samples: ReadonlyMap<WayName, Sample[]>
}

interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** What is said of a row, and written by `--json`. */
export interface Figures {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly speedUnit: string | undefined
  readonly ways: Readonly<Record<string, { readonly value: Spread; readonly speed: Spread }>>
  readonly against: WayName
  /** Of each round: the first way's figure divided by the second's. */
  readonly ratio: Spread
  readonly most: number | undefined
  readonly reached: boolean | undefined
}

/** As people know them, short enough for a picture; `× 2` is both hops. */
export const NAMES: Readonly<Record<string, string>> = {
  engawa: 'Engawa',
  'engawa-plain': 'Engawa, no TLS',
  pipe: 'Node pipe × 2',
  ssh: 'ssh -R',
  haproxy: 'haproxy × 2',
  nginx: 'nginx × 2',
  'nginx-tls': 'nginx × 2, TLS',
  'nginx-ssh': 'nginx + ssh -R',
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  return { median: at(sorted.length >> 1), least: at(0), most: at(sorted.length - 1) }
}

export function figuresOf({ row, samples }: Measured): Figures {
  const of = (name: WayName): Sample[] => samples.get(name) ?? []
  const [own, against] = row.ways
  const ratio = spread(of(own).map(({ value }, round) => value / (of(against)[round]?.value ?? Number.NaN)))
  const { id, title, unit, speedUnit, most } = row
  return {
    id,
    title,
    unit,
    speedUnit,
    ways: Object.fromEntries(
      [...samples.keys()].map((name) => [
        name,
        { value: spread(of(name).map(({ value }) => value)), speed: spread(of(name).map(({ speed = 0 }) => speed)) },
      ]),
    ),
    against,
    ratio,
    most,
    reached: most === undefined ? undefined : ratio.median <= most,
  }
}

export function print(figures: readonly Figures[]): void {
  for (const { id, title, unit, speedUnit, ways, against, ratio, most, reached } of figures) {
    const range = `${short(ratio.least)}–${short(ratio.most)}`
    console.log(`\n${title} (${id})`)
    for (const [name, { value, speed }] of Object.entries(ways)) {
      const beside = speedUnit === undefined ? '' : `   ${short(speed.median)} ${speedUnit}`
      const bounds = `(${short(value.least)}–${short(value.most)})`
      console.log(`  ${name.padEnd(13)}${short(value.median).padStart(8)} ${unit} ${bounds}${beside}`)
    }
    const verdict = most === undefined ? '' : `, wanted at most ${most}: ${reached ? 'reached' : 'NOT reached'}`
    console.log(`  to ${against}: ${short(ratio.median)} (${range})${verdict}`)
  }
}

export function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
