import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'

/** Ports, both ends inclusive. */
export type PortRange = readonly [from: number, to: number]

/** A port that can be published, 1 … 65535. Throws FLAG_INVALID. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65_535 ? port : refuse(text)
}

/** `N` or `N-M`. Throws FLAG_INVALID. */
export function parsePortRange(text: string): PortRange {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  if (first === undefined) return refuse(text)
  const from = parsePort(first)
  const to = last === undefined ? from : parsePort(last)
  return from <= to ? [from, to] : refuse(text)
}

/** `N,N-M,…`, in order and merged; an empty text is no port at all. Throws FLAG_INVALID. */
export function parsePortRanges(text: string): PortRange[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== '')
  return mergeRanges(parts.map(parsePortRange))
}

/** The same ports in order, each once, neighbours joined. */
export function mergeRanges(ranges: readonly PortRange[]): PortRange[] {
  const merged: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

/** Whether every port of `range` lies in one of `ranges` (merged). */
export function coversRange(ranges: readonly PortRange[], range: PortRange): boolean {
  return ranges.some(([from, to]) => from <= range[0] && range[1] <= to)
}

export function overlap(a: PortRange, b: PortRange): boolean {
  return a[0] <= b[1] && b[0] <= a[1]
}

/** `N` or `N-M`. */
export function formatRange([from, to]: PortRange): string {
  return from === to ? String(from) : `${from}-${to}`
}

export function formatRanges(ranges: readonly PortRange[]): string {
  return ranges.map(formatRange).join(',')
}

function refuse(text: string): never {
  throw new EngawaError(
    'FLAG_INVALID',
    `${quoted(text)} is no port; write 1 to 65535, or a range such as 10000-10010`,
    {
      ja: `${quoted(text)} はポートではありません。1 から 65535、または 10000-10010 のような範囲で書いてください`,
    },
  )
}
