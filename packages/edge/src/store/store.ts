import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { EngawaError } from '@engawa/shared/errors'
import { demandNoLink, keepOwner } from '@engawa/shared/folder'
import { AgentRows } from './agents.ts'
import { AccountRows, CertificateRows } from './certificates.ts'
import { InvitationRows } from './invitations.ts'
import { LeaseRows } from './leases.ts'
import { MetaRows } from './meta.ts'
import { MIGRATIONS } from './migrations.ts'

/** How long to wait for another process that writes (an `edge invite` beside a running edge), ms. */
const PATIENCE_MS = 5000

/** The edge's memory on disk. Each call is durable when it returns; `transaction` makes several all or nothing. */
export interface Store {
  readonly meta: MetaRows
  readonly agents: AgentRows
  readonly invitations: InvitationRows
  readonly leases: LeaseRows
  readonly accounts: AccountRows
  readonly certificates: CertificateRows
  transaction<Result>(work: () => Result): Result
  close(): void
}

/**
 * Opens or makes the database. Throws STATE_BROKEN when it is none, or one of a newer edge. An older form is brought up
 * to date, and kept beside it unless `keepsOld` is false.
 */
export function openStore(path: string, keepsOld: boolean = true): Store {
  const database = open(path, keepsOld)
  return {
    meta: new MetaRows(database),
    agents: new AgentRows(database),
    invitations: new InvitationRows(database),
    leases: new LeaseRows(database),
    accounts: new AccountRows(database),
    certificates: new CertificateRows(database),
    transaction: (work) => transact(database, work),
    close: () => database.close(),
  }
}

function open(path: string, keepsOld: boolean): DatabaseSync {
  // SQLite gives its side files the mode and owner of the database: so that is made first, closed to others.
  demandNoLink(path)
  closeSync(openSync(path, 'a', 0o600))
  keepOwner(path)
  const database = new DatabaseSync(path, { timeout: PATIENCE_MS, enableForeignKeyConstraints: true })
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    migrate(database, path, keepsOld)
    return database
  } catch (cause) {
    database.close()
    if (cause instanceof EngawaError) throw cause
    throw broken(`${path} cannot be read as the edge’s state`, `${path} をエッジの状態として読めません`, cause)
  }
}

function migrate(database: DatabaseSync, path: string, keepsOld: boolean): void {
  const before = version(database)
  if (before === MIGRATIONS.length) return
  if (keepsOld && before > 0 && before < MIGRATIONS.length) keepCopy(database, `${path}.v${before}`)
  transact(database, () => {
    // Another process may have been here between the look and the lock.
    const done = version(database)
    if (done > MIGRATIONS.length) {
      throw broken(`${path} was made by a newer edge`, `${path} は新しい版のエッジが作ったものです`)
    }
    for (const step of MIGRATIONS.slice(done)) database.exec(step)
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
  })
}

/** Who goes back to an older edge after all needs the state in the form that it knows. */
function keepCopy(database: DatabaseSync, copy: string): void {
  if (existsSync(copy)) return
  const temporary = `${copy}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  closeSync(openSync(temporary, 'wx', 0o600))
  database.prepare('VACUUM INTO ?').run(temporary)
  keepOwner(temporary)
  renameSync(temporary, copy)
}

function version(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** Nested calls join the outer transaction. */
function transact<Result>(database: DatabaseSync, work: () => Result): Result {
  if (database.isTransaction) return work()
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function broken(en: string, ja: string, cause?: unknown): EngawaError {
  return new EngawaError('STATE_BROKEN', en, { cause, ja })
}
