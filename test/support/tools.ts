import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where a program lies; sbin too, which is not on everyone's PATH. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * For a test's options, `{ skip: without('ssh') }`: the reason to skip it, or false when all is there.
 * Under ENGAWA_REQUIRE_ALL=1 a missing tool throws: the build machine has them all.
 */
export function without(...names: readonly string[]): string | false {
  const missing = names.filter((name) => findTool(name) === undefined)
  if (missing.length === 0) return false
  const why = `needs ${missing.join(', ')}, not installed here`
  if (process.env['ENGAWA_REQUIRE_ALL'] === '1') throw new Error(why)
  return why
}

/** Full figures instead of the short form: `npm run test:long`. */
export const LONG: boolean = process.env['ENGAWA_LONG'] === '1'

/**
 * What a bound of time is multiplied by. In the long form a promise is taken by its word; the short form runs beside
 * another test on whatever machine there is, and has to tell broken from busy.
 */
export const PATIENCE: number = LONG ? 1 : 3
