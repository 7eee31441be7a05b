import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { EngawaError } from '@engawa/shared/errors'
import { storeVersion } from './migrations.ts'

/** A file of the data folder that goes with the database. */
export interface KeptFile {
  /** Relative to the folder. */
  readonly path: string
  readonly content: Uint8Array
}

/**
 * Writes the database at `source` and the files that go with it into one new file, itself a database. Consistent also
 * while an edge runs on `source`: SQLite copies what was committed when it began.
 */
export function writeBackup(source: string, target: string, files: readonly KeptFile[]): void {
  copyDatabase(source, target)
  const database = new DatabaseSync(target)
  try {
    database.exec(`
      PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN;
      CREATE TABLE backup_files (path TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT`)
    const insert = database.prepare('INSERT INTO backup_files VALUES (?, ?)')
    for (const { path, content } of files) insert.run(path, content)
    database.exec('COMMIT')
  } finally {
    database.close()
  }
}

/** All of a database as a new file, without holes; there must be none at `target`. */
export function copyDatabase(source: string, target: string): void {
  const database = new DatabaseSync(source, { timeout: PATIENCE_MS })
  try {
    database.prepare('VACUUM INTO ?').run(target)
  } finally {
    database.close()
  }
}

/** Throws STATE_BROKEN where the file is no backup, is damaged, or of a newer edge. */
export function checkBackup(path: string): void {
  openBackup(path).close()
}

/**
 * Makes the copy of a backup at `path` the database to go on with: the files come out of it, open invitations are void,
 * and what `present` (the database in use by now, if any) knows of revoked keys and used invitations stays so.
 * Both have the form of this version already.
 */
export function settleBackup(path: string, present: string | undefined): KeptFile[] {
  const database = openBackup(path)
  try {
    const files = database.prepare('SELECT path, content FROM backup_files ORDER BY path').all()
    database.exec(`PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL`)
    if (present !== undefined) database.prepare('ATTACH ? AS present').run(present)
    database.exec('BEGIN IMMEDIATE; DROP TABLE backup_files; DELETE FROM invitations WHERE used_key IS NULL')
    if (present !== undefined) database.exec(KEEP_PRESENT)
    database.exec('COMMIT')
    return files.map((row) => ({ path: String(row['path']), content: row['content'] as Uint8Array }))
  } finally {
    database.close()
  }
}

/** Waiting for a running edge's write, ms. */
const PATIENCE_MS = 5000

/**
 * A key that is no longer good must not become good again, an invitation must not work twice, and a generation's number
 * is never given again.
 */
const KEEP_PRESENT = `
  INSERT OR REPLACE INTO main.old_keys SELECT * FROM present.old_keys;
  -- Who has left since. Ids are never given twice.
  DELETE FROM main.agents WHERE key IN (SELECT key FROM present.old_keys) AND id NOT IN (SELECT id FROM present.agents);
  UPDATE main.agents SET key = NULL,
      revoked_at = (SELECT at FROM present.old_keys WHERE present.old_keys.key = main.agents.key)
    WHERE key IN (SELECT key FROM present.old_keys);
  UPDATE main.agents SET revoked_at = (SELECT revoked_at FROM present.agents p WHERE p.name = main.agents.name), key = NULL
    WHERE name IN (SELECT name FROM present.agents WHERE key IS NULL) AND key IS NOT NULL;
  DELETE FROM main.leases WHERE agent NOT IN (SELECT id FROM main.agents WHERE key IS NOT NULL);
  INSERT OR REPLACE INTO main.invitations SELECT * FROM present.invitations WHERE used_key IS NOT NULL;
  INSERT INTO main.meta SELECT * FROM present.meta WHERE key = 'generation'
    ON CONFLICT DO UPDATE SET value = CAST(max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER)) AS TEXT);
`

function openBackup(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  try {
    const [{ integrity_check: sound } = {}] = database.prepare('PRAGMA integrity_check(1)').all()
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
    database.prepare('SELECT count(*) FROM backup_files').get()
    if (sound !== 'ok') throw broken('this backup is damaged', 'このバックアップは壊れています')
    if (version > storeVersion()) {
      throw broken('this backup was made by a newer edge', 'このバックアップは新しい版のエッジが作ったものです')
    }
    return database
  } catch (cause) {
    database.close()
    if (cause instanceof EngawaError) throw cause
    throw broken('this file is no backup of an edge', 'このファイルはエッジのバックアップではありません', cause)
  }
}

/** Removes a database with what SQLite keeps beside it. */
export function removeDatabase(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${end}`, { force: true })
}

function broken(en: string, ja: string, cause?: unknown): EngawaError {
  return new EngawaError('STATE_BROKEN', en, { cause, ja })
}
