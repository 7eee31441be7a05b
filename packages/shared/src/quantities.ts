import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
}
/** Bytes per second: a bit is an eighth of a byte. */
const RATES: Readonly<Record<string, number>> = { kbit: 125, mbit: 125_000, gbit: 125_000_000 }

/** `500ms 30s 10m 2h 7d` as milliseconds. Throws FLAG_INVALID. */
export function parseDuration(text: string): number {
  return (
    measure(text, DURATIONS) ??
    refuse(
      `${quoted(text)} is no duration; write 500ms, 30s, 10m, 2h or 7d`,
      `${quoted(text)} は時間ではありません。500ms、30s、10m、2h、7d のように書いてください`,
    )
  )
}

/** Of what somebody waits for, ms: Node's timers end at once where they are to take more than 24.8 days. */
const DAY_MS = 86_400_000

/** The same, of a day at most. */
export function parseWithinDay(text: string): number {
  const ms = parseDuration(text)
  if (ms <= DAY_MS) return ms
  return refuse(
    `${quoted(text)} is too long; write 0s to 24h`,
    `${quoted(text)} は長すぎます。0s から 24h までで書いてください`,
  )
}

/** `64KiB 10MiB` as bytes. Throws FLAG_INVALID. */
export function parseSize(text: string): number {
  return (
    measure(text, SIZES) ??
    refuse(
      `${quoted(text)} is no size; write 64KiB, 10MiB or 1GiB`,
      `${quoted(text)} は大きさではありません。64KiB、10MiB、1GiB のように書いてください`,
    )
  )
}

/** `20mbit` as bytes per second. Throws FLAG_INVALID. */
export function parseRate(text: string): number {
  return (
    measure(text, RATES) ??
    refuse(
      `${quoted(text)} is no rate; write 500kbit, 20mbit or 1gbit`,
      `${quoted(text)} は速度ではありません。500kbit、20mbit、1gbit のように書いてください`,
    )
  )
}

function measure(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d{1,12}(?:\.\d{1,3})?)([a-z]+)$/i.exec(text) ?? []
  if (digits === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined
  const value = Math.round(Number(digits) * (units[unit] ?? Number.NaN))
  return Number.isSafeInteger(value) ? value : undefined
}

function refuse(en: string, ja: string): never {
  throw new EngawaError('FLAG_INVALID', en, { ja })
}
