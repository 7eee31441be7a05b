import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { demandNoLink, keepOwner } from '@engawa/shared/folder'

/** Beside the front's own lock: generations hold it together. */
const FILE = 'lock.serving'
/** What kill -9 of a front leaves behind ends within milliseconds; a busy machine may take longer. */
const PATIENCE_MS = 3000

/** Says that a process serves the folder's ports, until it ends, kill -9 included. Answers how to end that before. */
export function staySeen(folder: string): () => void {
  const database = open(folder)
  // A reader's lock, kept: any number of processes may hold one, and nobody may write meanwhile.
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  database.prepare('SELECT count(*) FROM sqlite_schema').get()
  let held: DatabaseSync | undefined = database
  return () => {
    held?.close()
    held = undefined
  }
}

/**
 * Waits until the generations of a front that was killed have ended, at most 3 s: they still have its ports.
 * They notice at once, but not always before the next front is here.
 */
export function awaitUnseen(folder: string): void {
  const database = open(folder)
  try {
    database.exec(`PRAGMA busy_timeout = ${PATIENCE_MS}; BEGIN EXCLUSIVE; COMMIT`)
  } catch {
    // Then binding says who has the port.
  } finally {
    database.close()
  }
}

function open(folder: string): DatabaseSync {
  const path = join(folder, FILE)
  demandNoLink(path)
  const database = new DatabaseSync(path)
  keepOwner(path)
  return database
}
