import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { EngawaError } from '@engawa/shared/errors'
import { keepOwner, makeFolder, writeAtomic } from '@engawa/shared/folder'
import { lockFolder } from '@engawa/shared/lock'
import { openExisting, storePath } from './state.ts'
import { checkBackup, copyDatabase, type KeptFile, removeDatabase, settleBackup, writeBackup } from './store/backup.ts'
import { openStore } from './store/store.ts'

/** What an edge keeps beside its database: keys, certificates, settings, tokens. Logs, sockets and locks are not state. */
const KEPT = /\.(?:pem|key|crt|json|yaml|token)$/
/** Larger files are none of ours. */
const MOST_BYTES = 1024 * 1024
const FOLDERS_DEEP = 3
/** Settings belong to the machine as much as to the edge: those that are there stay. */
const SETTINGS = 'edge.yaml'
const BEFORE = '.before-restore'

export interface Backup {
  readonly file: string
  /** The database, and so many files beside it. */
  readonly files: number
}

/** Writes all state of the folder into `file` (0600), also while an edge runs. Throws NO_STATE, and what the disk refuses. */
export function backUp(folder: string, file: string): Backup {
  // Brings an older database up to this version's form first.
  openExisting(folder).close()
  const target = resolve(file)
  const temporary = join(dirname(target), `.${process.pid}.engawa-backup`)
  const files = filesIn(folder)
  try {
    removeDatabase(temporary)
    // Closed to others before anything is in it.
    closeSync(openSync(temporary, 'wx', 0o600))
    writeBackup(storePath(folder), temporary, files)
    sync(temporary)
    renameSync(temporary, target)
  } finally {
    removeDatabase(temporary)
  }
  sync(dirname(target))
  return { file: target, files: files.length }
}

export interface Restored {
  readonly files: readonly string[]
  /** What was replaced lies beside it under this ending. */
  readonly before: string | undefined
}

/**
 * Puts what `backUp` wrote in the folder's place. Open invitations are void; what the present state knows of revocations
 * and used invitations stays. Old or new after a crash: the database comes last, in one step.
 * Throws FOLDER_LOCKED while an edge runs, STATE_BROKEN.
 */
export function restore(folder: string, file: string): Restored {
  if (!existsSync(file)) {
    throw new EngawaError('NO_STATE', `there is no ${file}`, { ja: `${file} がありません` })
  }
  makeFolder(folder)
  const lock = lockFolder(folder)
  const path = storePath(folder)
  const temporary = join(folder, '.restore.db')
  try {
    const there = existsSync(path)
    // Migrates it, and closing takes its journal in.
    if (there) openStore(path).close()
    removeDatabase(temporary)
    closeSync(openSync(temporary, 'wx', 0o600))
    copyBackup(file, temporary)
    checkBackup(temporary)
    // That of an older edge has an older form.
    openStore(temporary, false).close()
    const files = settleBackup(temporary, there ? path : undefined)
    for (const each of files) putBack(folder, each)
    if (there) {
      rmSync(`${path}${BEFORE}`, { force: true })
      linkSync(path, `${path}${BEFORE}`)
    }
    for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
    keepOwner(temporary)
    sync(temporary)
    renameSync(temporary, path)
    sync(folder)
    return { files: files.map((each) => each.path), before: there ? BEFORE : undefined }
  } finally {
    removeDatabase(temporary)
    lock.release()
  }
}

function copyBackup(file: string, temporary: string): void {
  try {
    copyDatabase(file, temporary)
  } catch (cause) {
    throw new EngawaError('STATE_BROKEN', `${file} is no backup of an edge`, {
      cause,
      ja: `${file} はエッジのバックアップではありません`,
    })
  }
}

function putBack(folder: string, { path, content }: KeptFile): void {
  const file = resolve(folder, path)
  // Whoever made the file may have put `..` in it.
  if (relative(folder, file).startsWith('..')) throw new EngawaError('STATE_BROKEN', `the backup names ${path}`)
  if (path === SETTINGS && existsSync(file)) return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  keepOwner(dirname(file))
  if (existsSync(file) && !readFileSync(file).equals(content)) renameSync(file, `${file}${BEFORE}`)
  writeAtomic(file, content)
}

function filesIn(folder: string, below = '', deep = FOLDERS_DEEP): KeptFile[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name)
    const file = join(folder, path)
    if (entry.isDirectory()) return deep > 0 ? filesIn(folder, path, deep - 1) : []
    // Settings may be a link into /etc; nothing else of ours is one.
    const ours = KEPT.test(entry.name) && !entry.name.startsWith('.') && (entry.isFile() || path === SETTINGS)
    if (!ours || !existsSync(file) || lstatSync(file).size > MOST_BYTES) return []
    return [{ path, content: readFileSync(file) }]
  })
}

function sync(path: string): void {
  const opened = openSync(path, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}
