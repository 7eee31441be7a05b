import { Parser } from 'tap-parser'

/** What a run came to, counted in tests (innermost subtests), not in assertions. */
export type Tally = { passed: number; failed: number; skipped: { name: string; why: string }[] }

type Node = { children: Node[]; skips: { name: string; why: string }[]; points: number; ok: boolean }

/** Counts the tests of one raw TAP text, as tap writes it: one top-level subtest per file. */
export function tally(tap: string): Tally {
  const total: Tally = { passed: 0, failed: 0, skipped: [] }
  const root = read(tap)
  for (const file of root.children) add(file, total)
  total.skipped.push(...root.skips)
  if (!root.ok && total.failed === 0) total.failed = 1
  return total
}

function read(tap: string): Node {
  const parser = new Parser()
  const root = watch(parser)
  parser.end(tap)
  return root
}

function watch(parser: Parser): Node {
  const node: Node = { children: [], skips: [], points: 0, ok: true }
  let open: Node | undefined
  parser.on('child', (child: Parser) => {
    open = watch(child)
    node.children.push(open)
  })
  parser.on('assert', (point: { ok: boolean; name: string; skip?: string | boolean; todo?: string | boolean }) => {
    const child = open
    open = undefined
    if (child !== undefined && !point.ok && !point.todo) child.ok = false
    if (point.skip && (child === undefined || child.points === 0)) {
      node.children = node.children.filter((other) => other !== child)
      node.skips.push({ name: point.name, why: typeof point.skip === 'string' ? point.skip : '' })
    } else if (child === undefined) node.points++
  })
  parser.on('complete', (results: { ok: boolean }) => {
    if (!results.ok) node.ok = false
  })
  return node
}

/** A group counts as a failure of its own only when it failed and none of its tests did, as by a time-out. */
function add(node: Node, total: Tally): void {
  const failedBefore = total.failed
  for (const child of node.children) add(child, total)
  total.skipped.push(...node.skips)
  const holdsTests = node.children.length > 0 || (node.skips.length > 0 && node.points === 0)
  if (node.ok && !holdsTests) total.passed++
  if (!node.ok && total.failed === failedBefore) total.failed++
}
