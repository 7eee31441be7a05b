import type { Language } from '@engawa/shared/say'

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** `3 minutes ago`, `in 59 minutes`; within a second, `now`. */
export function relative(atMs: number, nowMs: number, language: Language): string {
  const apart = atMs - nowMs
  const [unit, length] = UNITS.find(([, each]) => Math.abs(apart) >= each) ?? ['second', 1_000]
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.round(apart / length), unit)
}

/** The two largest units of a length of time: `2h 5m`. */
export function span(ms: number, language: Language): string {
  const parts: string[] = []
  let rest = Math.max(0, ms)
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length)
    rest %= length
    if (parts.length === 2 || (count === 0 && (unit !== 'second' || parts.length > 0))) continue
    const unitDisplay = language === 'ja' ? 'short' : 'narrow'
    parts.push(new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay }).format(count))
  }
  return parts.join(' ')
}

/** `0 B`, `12.3 MiB`. */
export function size(bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10))
  const amount = bytes / 1024 ** step
  const digits = step > 0 && amount < 100 ? 1 : 0
  return `${amount.toFixed(digits)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][step]}`
}
