import { type Figures, short } from './figures.ts'
import type { WayName } from './ways.ts'

/** By how much a control may be worse than it is known to be. */
const TOLERANCE = 1.25

/** What a control costs beside two hops of Node's pipe, where both are at their best; measured when the speed work began. */
const KNOWN: readonly { readonly row: string; readonly way: WayName; readonly toPipe: number }[] = [
  { row: 'bulk-plain', way: 'haproxy', toPipe: 0.81 / 1.15 },
  { row: 'bulk-tls', way: 'ssh', toPipe: 1.4 / 1.15 },
]

/** Whether the controls are as good as they are known to be: what is held against a bad one says nothing. */
export function check(figures: readonly Figures[]): boolean {
  const wrong = KNOWN.filter(({ row, way, toPipe }) => {
    const ways = figures.find(({ id }) => id === row)?.ways
    const [control, pipe] = [ways?.[way], ways?.['pipe']]
    if (control === undefined || pipe === undefined) return false
    const ratio = control.value.median / pipe.value.median
    if (ratio <= toPipe * TOLERANCE) return false
    const known = `known to be ${short(toPipe)}, at most ${short(toPipe * TOLERANCE)}`
    console.error(`\n${way} takes ${short(ratio)} of what pipe takes in ${row}, ${known}: this run says nothing`)
    return true
  })
  return wrong.length === 0
}
