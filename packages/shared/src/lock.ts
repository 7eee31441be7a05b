import { closeSync, fchmodSync, openSync, readSync, realpathSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { EngawaError } from './errors.ts'
import { demandNoLink, demandOwnFolder, keepOwner } from './folder.ts'

/** Where SQLite keeps `user_version` in its header, big endian. https://www.sqlite.org/fileformat2.html#the_database_header */
const PID_OFFSET = 60
/** How long to wait for someone who only looks, ms. */
const PATIENCE_MS = 200
/** SQLITE_BUSY, SQLITE_LOCKED. */
const BUSY = new Set([5, 6])
/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const BROKEN = new Set([11, 26])

/**
 * Lock files that this process holds. Opening one and closing it again would drop the
 * lock, since POSIX locks belong to the process, not to the descriptor: so it is never read from here.
 */
const held = new Map<string, DatabaseSync>()

export interface FolderLock {
  release(): void
}

/**
 * Makes this process the only one that serves `folder` (which exists), until `release` or its end, kill -9 included.
 *
 * The lock is `folder/lock`, an SQLite file held exclusively; its header tells the holder's pid.
 * Throws FOLDER_LOCKED, naming the holder; STATE_BROKEN where everybody may write.
 */
export function lockFolder(folder: string): FolderLock {
  const path = join(realpathSync(folder), 'lock')
  if (held.has(path)) throw locked(folder, process.pid)
  demandOwnFolder(folder)
  demandNoLink(path)
  closeFile(path)
  const database = take(folder, path)
  keepOwner(path)
  // Kept here too: a lock whose owner forgot it must not end with the garbage.
  held.set(path, database)
  return {
    release(): void {
      if (held.delete(path)) database.close()
    },
  }
}

/** SQLite would make it as the umask says, and whoever may read it may lock it. */
function closeFile(path: string): void {
  const file = openSync(path, 'a', 0o600)
  try {
    fchmodSync(file, 0o600)
  } catch {
    // Somebody else's, as in a folder that root serves for a while.
  } finally {
    closeSync(file)
  }
}

/** `synchronous` is off because a torn lock file after a power cut is only a lock that nobody holds. */
function take(folder: string, path: string, mayMend: boolean = true): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: PATIENCE_MS })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; BEGIN EXCLUSIVE')
    note(database)
    return database
  } catch (cause) {
    database.close()
    if (isBusy(cause)) throw locked(folder, holderOf(folder), cause)
    if (!mayMend || !isOneOf(BROKEN, cause)) throw cause
  }
  // Emptied, not removed: whoever has mended and locked it meanwhile keeps the same file.
  truncateSync(path)
  rmSync(`${path}-journal`, { force: true })
  return take(folder, path, false)
}

/** The pid of the process that serves `folder`; undefined if none does. 0: someone, but no telling who. */
export function holderOf(folder: string): number | undefined {
  let path: string
  try {
    path = join(realpathSync(folder), 'lock')
    if (held.has(path)) return process.pid
    const database = new DatabaseSync(path, { readOnly: true, timeout: 0 })
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get()
      return undefined
    } catch (error) {
      if (!isBusy(error)) return undefined
    } finally {
      database.close()
    }
  } catch {
    return undefined
  }
  return readPid(path)
}

/** Leaves the pid in the header and keeps the lock. On a full disk the lock alone has to do. */
function note(database: DatabaseSync): void {
  try {
    database.exec(`PRAGMA user_version = ${process.pid}; COMMIT; BEGIN EXCLUSIVE`)
  } catch (error) {
    if (isBusy(error)) throw error
  }
}

function readPid(path: string): number {
  const header = Buffer.alloc(4)
  const file = openSync(path, 'r')
  try {
    return readSync(file, header, 0, 4, PID_OFFSET) === 4 ? header.readUInt32BE() : 0
  } finally {
    closeSync(file)
  }
}

function isBusy(error: unknown): boolean {
  return isOneOf(BUSY, error)
}

function isOneOf(codes: ReadonlySet<number>, error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && codes.has(errcode & 0xff)
}

function locked(folder: string, pid: number | undefined, cause?: unknown): EngawaError {
  const who = pid ? `process ${pid}` : 'another process'
  const whoJa = pid ? `プロセス ${pid} ` : '別のプロセス'
  return new EngawaError('FOLDER_LOCKED', `${folder} is served by ${who} already`, {
    cause,
    ja: `${folder} は${whoJa}がすでに使っています`,
  })
}
