import { DatabaseSync } from 'node:sqlite'

/** SQLITE_BUSY. */
const BUSY = 5
/** Longer than any build, ms. */
const PATIENCE_MS = 30 * 60_000

export interface Turn {
  end(): void
}

/**
 * Waits until no other process has its turn by this file, and has its own until `end` or the process's end, kill -9
 * included: an SQLite file that is held exclusively. `onWait` is called before a wait.
 */
export function takeTurn(file: string, onWait: () => void): Turn {
  const held = new DatabaseSync(file, { timeout: 0 })
  try {
    held.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== BUSY) throw error
    onWait()
    held.exec(`PRAGMA busy_timeout = ${PATIENCE_MS}; BEGIN EXCLUSIVE`)
  }
  return { end: () => held.close() }
}
